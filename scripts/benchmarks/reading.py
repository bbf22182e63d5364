"""Seconds and memory of sgdlab diagnose on sweeps, and whether they grow in proportion."""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.common import machine
from benchmarks.report import make_runs, real_runs

COUNTS = (100, 400, 2000)
SECONDS_LIMIT = 20.0

DIAGNOSE = (
    "import resource, sys; from sgdlab.commands.diagnose import main; code = main(sys.argv[1:]); "
    "use = resource.getrusage(resource.RUSAGE_SELF); "
    "print(use.ru_utime + use.ru_stime, use.ru_maxrss, file=sys.stderr); sys.exit(code)"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, nargs="+", default=COUNTS, help="sizes of the sweeps")


def run(options: argparse.Namespace) -> None:
    print(f"{machine()}\n{'runs':>8}{'seconds':>9}{'CPU s':>8}{'MiB':>6}{'linear':>8}")
    with tempfile.TemporaryDirectory() as place:
        patterns = real_runs(Path(place) / "patterns")
        first: tuple[int, float] | None = None
        for count in sorted(options.runs):
            study = Path(place) / str(count)
            make_runs(study, count, patterns)
            start = time.perf_counter()
            command = [sys.executable, "-c", DIAGNOSE, str(study)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds = time.perf_counter() - start
            cpu, memory = map(float, done.stderr.split()[-2:])
            memory *= 1 if sys.platform == "darwin" else 1024
            first = first or (count, cpu)
            linear = cpu / (first[1] * count / first[0])
            print(f"{count:>8}{seconds:>9.2f}{cpu:>8.2f}{memory / 2**20:>6.0f}{linear:>8.2f}")
    print(
        "linear: CPU seconds over those of the smallest sweep in proportion; "
        f"target for 2,000 runs: {SECONDS_LIMIT:.0f} s"
    )
