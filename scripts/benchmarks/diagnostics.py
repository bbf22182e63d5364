"""What diagnostics cost: wall time of a run over that with diagnostics=off."""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.common import machine
from sgdlab.config.compose.one import compose_run
from sgdlab.results import RunWriter
from sgdlab.training.build import build_run
from sgdlab.training.loop import fit

CADENCES = (1, 16, 64)
TARGETS = {
    "economy": (1.05, 1.05, 1.05),
    "business": (1.5, 1.1, 1.02),
    "full": (20.0, 2.0, 1.3),
}
WORKLOADS = {
    "mlp": ("MLP 64-64-64-10 on digits, batch 64", 512, ["batch_size=64"]),
    "cifar": (
        "3 convolutions, 3 dense layers on 32x32 photos made up, batch 128", 8,
        ["model=cnn", "batch_size=128"],
    ),
}  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workloads", nargs="+", choices=list(WORKLOADS), default=list(WORKLOADS))
    parser.add_argument("--tiers", nargs="+", choices=list(TARGETS), default=list(TARGETS))
    parser.add_argument("--cadences", nargs="+", type=int, choices=CADENCES, default=CADENCES)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, help="of a run, by default enough for its size")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    parser.add_argument("--cpu", action="store_true", help="CPU time: other jobs run beside")


class Photos(nn.Sequential):
    """The network of DeepOBS for CIFAR-10: three convolutions, three dense layers."""

    def __init__(self, num_outputs: int) -> None:
        super().__init__(
            nn.Conv2d(3, 64, 5), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(64, 96, 3), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(96, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Flatten(), nn.Linear(1152, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(),
            nn.Linear(256, num_outputs),
        )  # fmt: skip


def photos(n: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.standard_normal((n, 3, 32, 32), np.float32), random.integers(0, 10, n)


class Clock:
    """A view that notes when each step was done."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.times: list[float] = []

    def step(self, step: int, loss: float, lr: float, grad_norm: float) -> None:
        """Note the time."""
        self.times.append(self.now())

    def evaluated(self, metric: float) -> None:
        """Note nothing."""


def seconds_per_step(
    workload: str, tier: str, every: int, now: Callable[[], float], length: int | None = None
) -> float:
    """Return the seconds of a step of the product's own loop.

    The first step is left out, in which every quantity is measured and much is allocated; so are
    evaluations. The steps that count are a multiple of ``every``.
    """
    _, usual, overrides = WORKLOADS[workload]
    steps = max(length or usual, every)
    overrides = [
        *overrides, f"diagnostics={tier}", f"diagnostics.every={every}", f"max_steps={steps + 1}",
        "eval.every=1000000", "lr=0.001", "schedule=constant", "clip_norm=1.0",
    ]  # fmt: skip
    config = compose_run(*overrides)
    if workload == "cifar":
        own = {"_target_": f"{__name__}.Photos"}
        config = replace(config, model=own, dataset={"_target_": f"{__name__}.photos", "n": 1600})
    clock, run = Clock(now), build_run(config)
    with tempfile.TemporaryDirectory() as folder:
        writer = RunWriter(Path(folder), run.metric.name, run.diagnostics.columns)
        outcome = fit(run, writer, clock)
        writer.close()
    assert outcome.progress.step == steps + 1, outcome
    return (clock.times[-1] - clock.times[0]) / steps


def run(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    now = time.process_time if options.cpu else time.perf_counter
    print(
        f"{machine()}; {Path(__file__).name}, {options.repeats} repeats, "
        f"{'CPU' if options.cpu else 'wall'} time"
    )

    def measure(workload: str, tier: str, every: int) -> float:
        return seconds_per_step(workload, tier, every, now, options.steps)

    for workload in options.workloads:
        settings = [(tier, every) for tier in options.tiers for every in options.cadences]
        ratios: dict[tuple[str, int], list[float]] = {setting: [] for setting in settings}
        bare: list[float] = []
        measure(workload, "off", 1)  # warms up
        for _ in range(options.repeats):
            for setting in settings:
                # Each right after a run without: machines change from minute to minute.
                bare.append(measure(workload, "off", 1))
                ratios[setting].append(measure(workload, *setting) / bare[-1])
        name = WORKLOADS[workload][0]
        print(f"\n{name}: {statistics.median(bare) * 1e6:.0f} us a step without diagnostics")
        print(f"{'tier':12}{'every':>6}{'median':>10}{'least':>10}{'peak':>10}{'target':>10}")
        for (tier, every), values in ratios.items():
            target = TARGETS[tier][CADENCES.index(every)]
            cells = "".join(f"{f(values):>10.3f}" for f in (statistics.median, min, max))
            print(f"{tier:12}{every:>6}{cells}{target:>10.2f}")
