"""Memory and open files of one stacked sweep of thousands of runs: at a tenth of it, at its end."""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.common import machine

RUNS = 20_000
LIMIT = 1.1
TINY = ("dataset=digits", "model=linear", "batch_size=64", "max_steps=4", "eval.every=4")


class Look(NamedTuple):
    """What the process held when so many of its runs had ended."""

    ended: int
    resident: int
    files: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=RUNS, help="runs of the sweep")


def run(options: argparse.Namespace) -> None:
    if not Path("/proc/self/status").exists():
        sys.exit("growth: reads /proc, which this system does not have")
    print(machine())
    with tempfile.TemporaryDirectory() as place:
        looks = watched(Path(place), options.runs)
    tenth = next(look for look in looks if look.ended >= options.runs / 10)
    print(f"{'runs ended':>11}{'MiB':>8}{'open files':>12}")
    for look in (tenth, looks[-1]):
        print(f"{look.ended:>11}{look.resident / 2**20:>8.1f}{look.files:>12}")
    ratio = looks[-1].resident / tenth.resident
    print(f"memory at the end: {ratio:.3f} of that at a tenth; target: {LIMIT}")


def watched(folder: Path, runs: int) -> list[Look]:
    """Train a sweep, and return what was seen of it every half second."""
    sweep = folder / "sweep"
    command = [
        sys.executable, "-m", "sgdlab", "train", "-m", "hydra/launcher=stacked", *TINY,
        f"seed=range({runs})", f"hydra.sweep.dir={sweep}",
    ]  # fmt: skip
    looks: list[Look] = []
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
        while process.poll() is None:
            if (seen := look_at(process.pid, sweep)) is not None:
                looks.append(seen)
            time.sleep(0.5)
    ended = len(list(sweep.glob("*/summary.csv")))
    if process.returncode or ended != runs:
        sys.exit(f"growth: {ended} of {runs} runs; {(folder / 'output').read_text()[-2000:]}")
    return looks


def look_at(pid: int, sweep: Path) -> Look | None:
    """Return what a process holds; None once it has ended."""
    ended = sum(1 for _ in sweep.glob("*/summary.csv"))
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    except (OSError, StopIteration):
        return None
    return Look(ended, int(resident.split()[1]) * 1024, files)
