"""Both engines on models of many kinds: which is faster, and does engine=auto choose it?

The cost model in ``sgdlab.stacked.cost`` is calibrated on this table; models in the general form
are measured by ``sgdlab.stacked.measure``, here as in a sweep.
"""

import argparse
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import sweep
from benchmarks.common import machine
from sgdlab.config.schema import RunConfig
from sgdlab.datasets.base import Examples
from sgdlab.stacked import cost, measure
from sgdlab.stacked.group import Group, StackPlanner
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.run import train_run

TEXT = ["tokens", "batch_size=8"]
WORKLOADS: dict[str, list[str]] = {
    "linear": ["model=linear"],
    "mlp 64": ["model.hidden=[64]"],
    "mlp 64, batch 8": ["model.hidden=[64]", "batch_size=8"],
    "mlp 64-64 batch norm": ["model.hidden=[64,64]", "model.batch_norm=true"],
    "mlp 64-64 dropout": ["model.hidden=[64,64]", "model.dropout=0.2"],
    "mlp 64, batch 512": ["model.hidden=[64]", "batch_size=512"],
    "mlp 256-256": ["model.hidden=[256,256]"],
    "mlp 256-256 adamw": ["model.hidden=[256,256]", "optimizer=adamw"],
    "mlp 1024-1024": ["model.hidden=[1024,1024]"],
    "cnn": ["model=cnn"],
    "cnn batch norm": ["model=cnn", "model.batch_norm=true"],
    "cnn, batch 16": ["model=cnn", "batch_size=16"],
    "cnn 32x32": ["model=cnn", "photos"],
    "gpt 16": [*TEXT, "model=gpt", "model.width=16"],
    "gpt 32": [*TEXT, "model=gpt", "model.width=32"],
    "lstm 16": [*TEXT, "model=lstm", "model.width=16"],
    "resnet 4": ["model=resnet18", "model.width=4", "batch_size=16"],
    "own": ["own"],
}


def photos(n: int = 640) -> tuple[np.ndarray, np.ndarray]:
    """Return random images as large as those of CIFAR-10, and random classes."""
    generator = np.random.default_rng(0)
    images = generator.standard_normal((n, 3, 32, 32)).astype(np.float32)
    return images, generator.integers(0, 10, n)


def tokens(n: int = 400, context: int = 32) -> Examples:
    """Return random bytes, and the ones that follow them."""
    text = np.random.default_rng(0).integers(0, 256, (n, context + 1))
    return Examples(text[:, :-1], text[:, 1:], task="language", outputs=256)


class Own(nn.Module):
    """A model as a user has it: a residual branch."""

    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        self.first, self.norm = nn.Linear(64, 32), nn.LayerNorm(32)
        self.inner, self.last = nn.Linear(32, 32), nn.Linear(32, num_outputs)

    def forward(self, x: Tensor) -> Tensor:  # noqa: D102
        h = self.first(x.flatten(1))
        return self.last(h + torch.relu(self.inner(self.norm(h))))


ENOUGH = 0.95
"""How fast ``engine=auto`` has to be, of the faster engine."""
OWN = {
    "photos": {"dataset": {"_target_": "benchmarks.engines.photos"}},
    "tokens": {"dataset": {"_target_": "benchmarks.engines.tokens"}},
    "own": {"model": {"_target_": "benchmarks.engines.Own"}},
}
"""Parts that are no members of a group, by the word that asks for them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, nargs="+", default=[2, 4, 8, 32])
    parser.add_argument("--only", nargs="*", default=list(WORKLOADS), help="workloads by name")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each measurement")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)


def one_by_one(config: RunConfig) -> float:
    """Return the seconds of a step of the ordinary trainer, rows included."""
    with tempfile.TemporaryDirectory() as folder:
        summary = train_run(config, Path(folder), NoDisplay())
    return float(summary["train_seconds"]) / int(summary["steps"])  # type: ignore[arg-type]


def config_of(name: str, steps: int) -> RunConfig:
    overrides = [o for o in WORKLOADS[name] if o not in OWN]
    options = argparse.Namespace(model=None, overrides=overrides)
    config = sweep.config_of(options, steps)
    for word in OWN.keys() & set(WORKLOADS[name]):
        names = config.names | dict.fromkeys(OWN[word], word)
        config = replace(config, **OWN[word], names=names)  # type: ignore[arg-type]
    return config


def stacked(base: RunConfig, count: int, steps: int, threads: int) -> float:
    options = argparse.Namespace(threads=threads, steps=steps)
    return sweep.cost(base, options, count, warm=2).step


def stacks(planner: StackPlanner, group: Group) -> bool:
    """Say whether engine=auto stacks a group."""
    if cost.refusal(group) is not None:
        return False
    return group.stacked.written_out or measure.refusal(planner, group) is None


def predicted(group: Group, count: int) -> tuple[float, float]:
    """Return what the cost model has for a step alone and in a stack, or what it measured."""
    if (measured := group.measured) is not None:
        return measured.alone, measured.stacked[measured.best(count)]
    found = cost.cost_of(group)
    return found.alone / 1e6, found.stacked(count) / 1e6


def run(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as cache:  # what was measured before is not asked
        os.environ["XDG_CACHE_HOME"] = cache
        compare(options)


def compare(options: argparse.Namespace) -> None:
    print(f"milliseconds of a step of a run; {machine()}")
    print(f"{'':24}{'alone':>10}" + "".join(f"{f'R = {r}':>31}" for r in options.runs))
    worst = 9.0
    below: list[str] = []
    for name in options.only:
        guess = one_by_one(config_of(name, 8))
        steps = max(4, min(400, int(options.seconds / guess)))
        alone = min(one_by_one(config_of(name, steps)) for _ in range(options.repeats))
        cells: list[str] = []
        model = 0.0
        for count in options.runs:
            several = max(3, min(200, int(2 * options.seconds / guess / count)))
            base = config_of(name, several + 3)  # the evaluation after the last step is none
            ours = min(
                stacked(base, count, several, options.threads) for _ in range(options.repeats)
            )
            planner = StackPlanner()
            (group,), _ = planner.of(sweep.jobs_of(base, count, Path("unused")))
            chosen = stacks(planner, group)
            ratio = min(alone, ours) / (ours if chosen else alone)
            worst = min(worst, ratio)
            if ratio < ENOUGH:
                below.append(f"{name}, R = {count}: {ratio:.2f}")
            model, guessed = predicted(group, count)
            cells.append(
                f"{ours * 1e3:8.3f} {alone / ours:5.2f}x {'*' if chosen else ' '}"
                f"{guessed * 1e3:8.3f} {ratio:4.2f}"
            )
        print(
            f"{name:22}{alone * 1e3:8.3f}{model * 1e3:8.3f}" + "".join(f"{c:>31}" for c in cells),
            flush=True,
        )
    print(
        "* where engine=auto stacks; then the figure of the cost model, and how fast auto is of "
        f"the faster engine: at worst {worst:.2f}"
    )
    print(f"below {ENOUGH}: {'; '.join(below) or 'none'}")
