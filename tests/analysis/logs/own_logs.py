"""Logs of a public-style speed run, with numbers of their own."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

PATTERN = (
    r"step:(?P<step>\d+)/\d+ val_loss:(?P<val_loss>[\d.]+|nan) train_time:(?P<train_time_ms>\d+)ms"
)

RECORDS: Mapping[str, tuple[float, int, int]] = {
    "baseline": (3.2775, 8, 1000),
    "fused": (3.2778, 10, 940),
    "lucky": (3.2806, 4, 930),
    "short": (3.2790, 1, 700),
    "broken": (3.2850, 6, 650),
}
"""The true mean of each record, its runs and their steps."""

SIGMA = 0.0013


def speed_runs(
    folder: Path, records: Mapping[str, tuple[float, int, int]] = RECORDS, seed: int = 7
) -> dict[str, list[float]]:
    """Write a log per run, and return the last loss of each as it stands there."""
    rng = np.random.default_rng(seed)
    written: dict[str, list[float]] = {}
    for name, (mean, runs, steps) in records.items():
        (folder / name).mkdir(parents=True)
        for run in range(runs):
            end = round(mean + SIGMA * rng.normal(), 5)
            written.setdefault(name, []).append(end)
            write_log(folder / name / f"run-{run}.log", steps, end)
    return written


def write_log(path: Path, steps: int, end: float) -> None:
    """Write the log of a run whose loss ends at a value, among lines that say other things."""
    lines = ["python 3.12, 8 devices"]
    for step in sorted({*range(0, steps, 100), steps}):
        loss = end + 7 * (1 - step / steps) ** 3
        lines.append(f"step:{step}/{steps} val_loss:{loss:.5f} train_time:{60 * step}ms")
        lines.append(f"step:{step}/{steps} train_loss:{loss:.4f}")
    path.write_text("\n".join(lines) + "\n")


def rows(path: Path, head: Sequence[str], values: Sequence[Sequence[object]]) -> Path:
    """Write a CSV."""
    lines = [",".join(head), *(",".join(map(str, row)) for row in values)]
    path.write_text("\n".join(lines) + "\n")
    return path
