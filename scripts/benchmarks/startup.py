"""Seconds of --help, and of a run of one step beside import torch."""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.common import REPEATS, machine, process_seconds

TORCH = "import torch; torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)"
IMPORT, TRAIN = "import torch, optimizer", "sgdlab train max_steps=1"
HELP_SECONDS = 0.3
RUN_SECONDS = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repeats", type=int, default=REPEATS)


def run(options: argparse.Namespace) -> None:
    executable = str(Path(sys.executable).with_name("sgdlab"))
    commands = {
        "sgdlab --help": [executable, "--help"],
        IMPORT: [sys.executable, "-c", TORCH],
        TRAIN: [executable, "train", "max_steps=1", "resume=false"],
    }
    print(f"seconds of whole processes, {options.repeats} rounds; {machine()}")
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(
            options.repeats
        ):  # in turn, so that a machine that slows down slows them all
            for name, command in commands.items():
                seconds[name].append(process_seconds(command, Path(folder), repeats=1))
    print(f"{'':28}{'median':>8}{'min':>8}{'max':>8}")
    for name, values in seconds.items():
        cells = (statistics.median(values), min(values), max(values))
        print(f"{name:28}" + "".join(f"{cell:8.2f}" for cell in cells))
    pairs = zip(seconds[TRAIN], seconds[IMPORT], strict=True)
    print(f"{TRAIN} - {IMPORT}: {statistics.median(a - b for a, b in pairs):.2f}")
    print(f"targets: sgdlab --help <= {HELP_SECONDS:.2f}; the difference <= {RUN_SECONDS:.2f}")
