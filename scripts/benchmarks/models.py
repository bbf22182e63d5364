"""Seconds per step of a transformer and a residual network against the loop of a good engineer."""

import argparse
import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.common import REPEATS, compare, machine
from sgdlab.config.compose.one import compose_run
from sgdlab.results import RunWriter
from sgdlab.steps.precision import autocast, half_of
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.build import Run, build_run
from sgdlab.training.compiling import compile_loss
from sgdlab.training.dataset import dataset_of
from sgdlab.training.environment import PeakMemory
from sgdlab.training.loop import fit
from sgdlab.training.threads import forward_operations

BENCH = Path(__file__).parents[1] / "bench.py"
COMMON = (
    "clip_norm=1.0",
    "schedule=constant",
    "eval.every=1000000",
    "optimizer=adamw",
    "lr=0.0003",
)

PEAKS = {  # dense, without sparsity, as their makers state them
    "H100": {"fp32": 67e12, "tf32": 495e12, "bf16": 989e12, "fp16": 989e12},
    "H200": {"fp32": 67e12, "tf32": 495e12, "bf16": 989e12, "fp16": 989e12},
    "A100": {"fp32": 19.5e12, "tf32": 156e12, "bf16": 312e12, "fp16": 312e12},
    "L4": {"fp32": 30e12, "tf32": 60e12, "bf16": 121e12, "fp16": 121e12},
    "RTX 4090": {"fp32": 83e12, "tf32": 83e12, "bf16": 165e12, "fp16": 165e12},
    "RTX 3090": {"fp32": 36e12, "tf32": 36e12, "bf16": 71e12, "fp16": 71e12},
}
"""Operations per second by the name of a GPU and the precision."""


class Attention(nn.Module):
    """Causal attention in one fused call."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        n, t, width = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        h = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(h.transpose(1, 2).reshape(n, t, width))


class PlainBlock(nn.Module):
    """Attention and network, each on the normalised stream."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        x = x + self.attention(self.ln1(x))
        return x + self.down(F.gelu(self.up(self.ln2(x))))


class PlainGPT(nn.Module):
    """GPT-2 with tied embeddings."""

    def __init__(self, tokens: int, context: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(tokens, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(PlainBlock(width, heads) for _ in range(depth))
        self.ln = nn.LayerNorm(width)
        for p in self.parameters():
            if p.ndim > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        h = self.wte(x) + self.wpe(torch.arange(x.shape[1], device=x.device))
        for block in self.blocks:
            h = block(h)
        return F.linear(self.ln(h), self.wte.weight)


class PlainBasic(nn.Module):
    """Two convolutions and a short cut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.c2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.n1, self.n2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.short = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.short.append(nn.Conv2d(inputs, outputs, 1, stride, bias=False))
            self.short.append(nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        h = self.n2(self.c2(F.relu(self.n1(self.c1(x)))))
        return F.relu(h + self.short(x))


def plain_resnet18(width: int, classes: int) -> nn.Sequential:
    stem = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    sizes = [(1, 1, 1), (1, 1, 1), (1, 2, 2), (2, 2, 1), (2, 4, 2), (4, 4, 1), (4, 8, 2), (8, 8, 1)]
    blocks = [PlainBasic(a * width, b * width, stride) for a, b, stride in sizes]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8 * width, classes)]
    return nn.Sequential(*stem, *blocks, *head)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", choices=["gpt", "resnet18"], help="one model; both by default")
    parser.add_argument("--steps", type=int, default=10, help="of a measurement")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--width", type=int, help="of the model: 128 (gpt), 64 (resnet18)")
    parser.add_argument("--depth", type=int, default=4, help="of gpt")
    parser.add_argument("--context", type=int, default=128, help="of gpt")
    parser.add_argument("--batch", type=int, help="examples: 16 (gpt), 32 (resnet18)")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--compile", action="store_true", help="of both")
    parser.add_argument("--channels-last", action="store_true", help="of both, for resnet18")
    parser.add_argument("--memory", action="store_true", help="compare peak memory, too")
    parser.add_argument("--peak-of", choices=["sgdlab", "plain"], help=argparse.SUPPRESS)


def overrides_of(name: str, options: argparse.Namespace) -> list[str]:
    width = options.width or {"gpt": 128, "resnet18": 64}[name]
    batch = options.batch or {"gpt": 16, "resnet18": 32}[name]
    own = [f"dataset.context={options.context}", f"model.depth={options.depth}", "model.heads=4"]
    return [
        *COMMON, f"model={name}", f"model.width={width}", f"batch_size={batch}",
        f"max_steps={options.steps}", f"device={options.device}", "threads=1",
        f"precision={options.precision}", f"compile={str(options.compile).lower()}",
        *(["dataset=text", *own] if name == "gpt" else ["dataset=images_synthetic"]),
        *(["channels_last=true"] if options.channels_last and name == "resnet18" else []),
    ]  # fmt: skip


def small_run(name: str, options: argparse.Namespace) -> Run:
    """Return a run over as many examples as are trained on: evaluations are not what is timed."""
    config = compose_run(*overrides_of(name, options))
    data = dataset_of(config)
    assert isinstance(config.batch_size, int)
    train = data.train.take(slice(config.batch_size * options.steps))
    few = data.val.take(slice(config.batch_size))
    return build_run(config, data=replace(data, train=train, val=few, test=few))


class SgdlabLoop:
    """The ordinary loop of sgdlab, with every column of the contract written."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        self.run = small_run(name, options)
        compile_loss(self.run)

    def seconds(self, folder: Path) -> float:
        """Return the seconds of a step: those of the loop, evaluations apart."""
        writer = RunWriter(folder, self.run.metric.name, self.run.diagnostics.columns)
        outcome = fit(self.run, writer, NoDisplay())
        writer.close()
        return outcome.progress.train_seconds / outcome.progress.step


class PlainLoop:
    """nanoGPT's and airbench's habits: data as one tensor on the device, fused AdamW, clipping.

    Loss and norm are read in blocks of 64 steps on CUDA and at each step on the CPU, and written to
    a CSV, as sgdlab does.
    """

    def __init__(self, name: str, options: argparse.Namespace, data: Run) -> None:
        self._data, self._steps = data.data.train, options.steps
        self._batch, self._device = data.plan.batch_size, data.device
        self._half = half_of(options.precision)
        self._every = 64 if self._device.type == "cuda" else 1
        torch.manual_seed(0)
        width = options.width or {"gpt": 128, "resnet18": 64}[name]
        outputs = data.data.num_outputs
        if name == "gpt":
            model: nn.Module = PlainGPT(outputs, options.context, width, options.depth, 4)
        else:
            model = plain_resnet18(width, outputs)
        self.model = model.to(self._device)
        if options.channels_last and name == "resnet18":
            self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        decayed = [p for p in self.model.parameters() if p.ndim > 1]
        others = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0}]
        self._optimizer = torch.optim.AdamW(groups, lr=3e-4, fused=True)
        self._forward = torch.compile(self.model) if options.compile else self.model
        scaled = options.precision == "fp16"
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=scaled)

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        x, y = self._data
        while True:
            order = torch.randperm(len(y)).to(y.device)
            for rows in order.split(self._batch):
                if len(rows) == self._batch:
                    yield x[rows], y[rows]

    def step(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Make an update; return its loss and the norm of its gradient."""
        with autocast(self._device, self._half):
            output = self._forward(x)
            loss = F.cross_entropy(output.flatten(0, -2), y.flatten())
        self._scaler.scale(loss).backward()
        self._scaler.unscale_(self._optimizer)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad(set_to_none=True)
        return loss.detach(), norm

    def seconds(self, folder: Path) -> float:
        """Return the seconds of a step."""
        batches, held = self._batches(), []
        self.model.train()
        with (folder / "log.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            if self._device.type == "cuda":
                torch.cuda.synchronize()
            start = time.perf_counter()
            for step in range(self._steps):
                held.append(self.step(*next(batches)))
                if len(held) == self._every or step == self._steps - 1:
                    writer.writerows([loss.item(), norm.item()] for loss, norm in held)
                    held.clear()
            if self._device.type == "cuda":
                torch.cuda.synchronize()
            return (time.perf_counter() - start) / self._steps


def peak_flops(device: torch.device, precision: str) -> float | None:
    """Return what a GPU can do at most in a second; None where its name is not known."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peaks[precision] for key, peaks in PEAKS.items() if key in name), None)


def in_folder(loop: SgdlabLoop | PlainLoop) -> float:
    with tempfile.TemporaryDirectory() as folder:
        return loop.seconds(Path(folder))


def peak(name: str, options: argparse.Namespace) -> int:
    """Train by one of the loops alone in this process; return the peak of its memory."""
    ours = SgdlabLoop(name, options)
    loop = ours if options.peak_of == "sgdlab" else PlainLoop(name, options, ours.run)
    memory = PeakMemory(ours.run.device)
    in_folder(loop)
    return memory.bytes() or 0


def compare_memory(name: str, arguments: list[str]) -> None:
    found = {}
    for who in ("sgdlab", "plain"):
        command = [sys.executable, str(BENCH), "models", *arguments, "--only", name]
        found[who] = int(
            subprocess.check_output([*command, "--peak-of", who], text=True).split()[-1]
        )
    mib = {who: value / 2**20 for who, value in found.items()}
    ratio = found["sgdlab"] / found["plain"]
    print(f"peak memory: {mib['sgdlab']:.0f} against {mib['plain']:.0f} MiB: {ratio:.3f} x")


def measure(name: str, options: argparse.Namespace) -> None:
    ours = SgdlabLoop(name, options)
    plain = PlainLoop(name, options, ours.run)
    run = ours.run
    print(f"{' '.join(overrides_of(name, options))}; {run.device}, {machine()}")
    count = [sum(p.numel() for p in model.parameters()) for model in (run.model, plain.model)]
    assert count[0] == count[1], f"{count}: not the same model"
    peers = {"sgdlab": lambda: in_folder(ours), "plain loop": lambda: in_folder(plain)}
    medians = compare(peers, 1e6, "us/step", options.repeats)
    batch = run.plan.batch_size
    units = batch * options.context if name == "gpt" else batch
    what = "tokens" if name == "gpt" else "images"
    print(f"{units / medians['sgdlab']:,.0f} {what} per second")
    operations = 3 * (forward_operations(run.model, run.data.train.x) or 0) * batch
    rate = operations / medians["sgdlab"]
    most = peak_flops(run.device, options.precision)
    share = "peak not known" if most is None else f"{rate / most:.1%} of the device's peak"
    print(f"model FLOPs: {operations / 1e9:.2f} G a step, {rate / 1e9:,.1f} G per second; {share}")


def run(options: argparse.Namespace) -> None:
    names = [options.only] if options.only else ["gpt", "resnet18"]
    torch.set_num_threads(1)
    for name in names:
        if options.peak_of:
            print(peak(name, options))
            continue
        measure(name, options)
        if options.memory:
            compare_memory(name, [a for a in sys.argv[2:] if a != "--memory"])
    if not options.peak_of:
        print("targets: plain loop <= 1.03; peak memory <= 1.05")
