"""What the benchmarks share: who is measured against whom, how often, and on what machine."""

import contextlib
import io
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

REPEATS = 5


def machine() -> str:
    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )


def compare(
    peers: dict[str, Callable[[], float]], unit: float, name: str, repeats: int = REPEATS
) -> dict[str, float]:
    """Time every peer in turn, several rounds, print a table, and return the medians.

    A round's peers run one after another, so that a machine that slows down slows them all; the
    first round warms up and is not counted.

    Args:
        peers: What returns the seconds that it took, by name; one is ``sgdlab``.
        unit: Times printed are seconds times this: 1e6 for microseconds.
        name: The name of the unit, for the head of the table.
        repeats: How many rounds count.

    Returns:
        Median seconds by peer.
    """
    times: dict[str, list[float]] = {peer: [] for peer in peers}
    for round_ in range(repeats + 1):
        for peer, measure in peers.items():
            with contextlib.redirect_stdout(io.StringIO()):
                seconds = measure()
            if round_ > 0:
                times[peer].append(seconds)
    ours = times["sgdlab"]
    print(f"{'':24}{name:>12}{'min':>10}{'max':>10}{'sgdlab / peer':>16}")
    for peer, values in times.items():
        ratio = statistics.median(a / b for a, b in zip(ours, values, strict=True))
        cells = [statistics.median(values), min(values), max(values)]
        text = "".join(f"{c * unit:>{w}.0f}" for c, w in zip(cells, (12, 10, 10), strict=True))
        print(f"{peer:24}{text}{ratio:>16.2f}")
    return {peer: statistics.median(values) for peer, values in times.items()}


def process_seconds(command: Sequence[str], folder: Path, repeats: int = REPEATS) -> float:
    """Return the median seconds of a whole process run in ``folder``; its output is dropped.

    Raises:
        SystemExit: It failed; says with which output.
    """
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        times.append(time.perf_counter() - start)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return statistics.median(times)
