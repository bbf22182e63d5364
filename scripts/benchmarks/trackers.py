"""What a tracker costs a run, as ratios against the same run without one."""

import argparse
import csv
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import REPEATS, machine

TRACKERS = ("tensorboard", "mlflow", "wandb", "trackio")
PLACES = {
    "tensorboard": ("directory", "tb"),
    "mlflow": ("uri", "sqlite:///m.db"),
    "wandb": ("directory", "."),
    "trackio": ("directory", "tr"),
}
NONE = "none"
TARGET = 1.02
FEW = 10
COMMAND = """
import json, resource, sys, time
from sgdlab import cli
wall, own = time.perf_counter(), time.process_time()
sys.argv = ["sgdlab", *sys.argv[1:]]
code = cli.main()
children = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([time.process_time() - own, time.perf_counter() - wall,
                  children.ru_utime + children.ru_stime, code]))
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--trackers", nargs="+", default=list(TRACKERS), choices=TRACKERS)


def run(options: argparse.Namespace) -> None:
    here = [name for name in options.trackers if importlib.util.find_spec(name)]
    print(f"a run of {options.steps} steps (wine, linear), {options.repeats} rounds; {machine()}")
    if absent := sorted(set(options.trackers) - set(here)):
        print(f"not installed: {', '.join(absent)}")
    found: dict[str, list[Seconds]] = {name: [] for name in (NONE, *here)}
    opened = {name: Seconds(name, FEW).children for name in found}
    for _ in range(options.repeats):  # in turn, so that a machine that slows down slows them all
        for name, own in found.items():
            own.append(Seconds(name, options.steps))
    head = ("process", "training", "us/step", "opening", "whole")
    print(f"{'':14}" + "".join(f"{word:>10}" for word in head))
    for name, own in found.items():
        pairs = list(zip(own, found[NONE], strict=True))
        process = statistics.median(a.process / b.process for a, b in pairs)
        training = statistics.median(a.training / b.training for a, b in pairs)
        sending = statistics.median(a.children for a in own) - opened[name]
        per_step = 1e6 * sending / max(options.steps - FEW, 1)
        whole = statistics.median(a.whole - b.whole for a, b in pairs)
        print(
            f"{name:14}{process:10.3f}{training:10.3f}{per_step:10.0f}"
            f"{opened[name]:9.2f}s{whole:+9.2f}s"
        )
    print("process: processor's time of the command's own process, and training: train_seconds,")
    print("against none; us/step: processor's time of the tracker's process, after opening: its")
    print("seconds for a run of ten steps; whole: seconds from the command's start to its end,")
    print(f"more than without. target: training <= {TARGET}")


class Seconds:
    """The times of one command."""

    def __init__(self, name: str, steps: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            typed = ["train", "dataset=wine", "model=linear", f"max_steps={steps}",
                     "eval.every=50", "schedule.warmup_epochs=0", "hydra.run.dir=a"]  # fmt: skip
            if name != NONE:
                key, place = PLACES[name]
                typed += [f"logger={name}", f"logger.{name}.{key}={place}"]
            done = subprocess.run(
                [sys.executable, "-c", COMMAND, *typed],
                cwd=folder, capture_output=True, text=True, check=True,
            )  # fmt: skip
            last = json.loads(done.stdout.splitlines()[-1])
            self.process, self.whole, self.children, code = last
            assert code == 0, done.stderr
            with (Path(folder) / "a" / "summary.csv").open() as file:
                self.training = float(next(csv.DictReader(file))["train_seconds"])
            if "logger=" in done.stderr:
                print(done.stderr.strip().splitlines()[-1])
