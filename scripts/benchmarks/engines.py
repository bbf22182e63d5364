"""Both engines on models of many kinds: which is faster, and does engine=auto choose it?

The cost model in ``sgdlab.stacked.cost`` is calibrated on this table.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import sweep
from benchmarks.common import machine
from sgdlab.config.schema import RunConfig
from sgdlab.stacked import cost
from sgdlab.stacked.group import StackPlanner
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.run import train_run

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
}


def photos(n: int = 640) -> tuple[np.ndarray, np.ndarray]:
    """Return random images as large as those of CIFAR-10, and random classes."""
    generator = np.random.default_rng(0)
    images = generator.standard_normal((n, 3, 32, 32)).astype(np.float32)
    return images, generator.integers(0, 10, n)


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
    overrides = [o for o in WORKLOADS[name] if o != "photos"]
    options = argparse.Namespace(model=None, overrides=overrides)
    config = sweep.config_of(options, steps)
    if "photos" in WORKLOADS[name]:
        config = replace(
            config,
            dataset={"_target_": "benchmarks.engines.photos"},
            names=config.names | {"dataset": "photos"},
        )
    return config


def stacked(base: RunConfig, count: int, steps: int, threads: int) -> float:
    options = argparse.Namespace(threads=threads, steps=steps)
    return sweep.cost(base, options, count, warm=2).step


def run(options: argparse.Namespace) -> None:
    print(f"milliseconds of a step of a run; {machine()}")
    print(f"{'':24}{'alone':>10}" + "".join(f"{f'R = {r}':>26}" for r in options.runs))
    worst = 9.0
    for name in options.only:
        guess = one_by_one(config_of(name, 8))
        steps = max(4, min(400, int(options.seconds / guess)))
        alone = min(one_by_one(config_of(name, steps)) for _ in range(options.repeats))
        cells = []
        for count in options.runs:
            several = max(3, min(200, int(2 * options.seconds / guess / count)))
            base = config_of(name, several + 2)
            ours = min(
                stacked(base, count, several, options.threads) for _ in range(options.repeats)
            )
            (group,), _ = StackPlanner().of(sweep.jobs_of(base, count, Path()))
            chosen = cost.refusal(group) is None
            ratio = alone / ours if chosen else 1.0
            worst = min(worst, ratio)
            model = cost.cost_of(group).stacked(count) / 1e3
            cells.append(
                f"{ours * 1e3:8.3f} {alone / ours:5.2f}x {'*' if chosen else ' '}{model:8.3f}"
            )
        model = cost.cost_of(group).alone / 1e3
        print(
            f"{name:22}{alone * 1e3:8.3f}{model:8.3f}" + "".join(f"{c:>26}" for c in cells),
            flush=True,
        )
    print(f"* where engine=auto stacks; second figures are the model's; auto at worst {worst:.2f}x")
