"""What checkpoints cost: microseconds per step without any, and with one in so many seconds."""

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.common import REPEATS, compare, machine
from sgdlab.config.compose.one import compose_run
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training import checkpoint
from sgdlab.training.build import build_run
from sgdlab.training.folder import RunFolder
from sgdlab.training.run import train_run
from sgdlab.training.state import TrainState

STEPS = 4000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--hidden", type=int, default=256, help="width of the two hidden layers")
    parser.add_argument("--repeats", type=int, default=REPEATS)


def overrides(options: argparse.Namespace) -> list[str]:
    """Return the run that is timed."""
    hidden = f"model.hidden=[{options.hidden},{options.hidden}]"
    steps = f"max_steps={options.steps}"
    return ["optimizer=adamw", "schedule=constant", steps, "eval.every=1000000", hidden]


def time_run(options: argparse.Namespace, *more: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        config = compose_run(*overrides(options), *more)
        start = time.perf_counter()
        train_run(config, Path(folder) / "run", NoDisplay())
        return (time.perf_counter() - start) / options.steps


def seconds_of_one(options: argparse.Namespace, count: int = 20) -> float:
    """Return the seconds that one checkpoint of a run takes, made durable."""
    with tempfile.TemporaryDirectory() as folder:
        run, place = (
            build_run(compose_run(*overrides(options))),
            RunFolder(Path(folder), "r", "sequential"),
        )
        start = time.perf_counter()
        for _ in range(count):
            place.save(checkpoint.state_of(run, TrainState()))
        return (time.perf_counter() - start) / count


def run(options: argparse.Namespace) -> None:
    print(machine())
    every = ("checkpoint.every=1", "checkpoint.unit=seconds")
    peers = {
        "without": lambda: time_run(options),
        "sgdlab": lambda: time_run(options, *every),
    }
    compare(peers, 1e6, "µs per step, one a second", options.repeats)
    own = seconds_of_one(options)
    print(f"one checkpoint: {own * 1e3:.1f} ms, {own / 60:.3%} of a minute")
