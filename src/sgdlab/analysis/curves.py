"""Curves of the runs compared: median and band over seeds, and the runs that did not complete."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.targets import completed, validation
from sgdlab.analysis.workloads import text

Floats = NDArray[np.float64]
Line = tuple[Floats, Floats]

GRID = 200
"""Points of a common grid, where the seeds have no points in common."""

BINS = 100
"""A curve of every step is shown as means of about this many bins."""

PERCENTILES_FROM = 10
"""The band is the 10th to the 90th percentile from this many seeds, else smallest to largest."""

MOST_LOST = 12
"""Lines of runs that did not complete that are drawn of each optimizer."""


@dataclass(frozen=True)
class Band:
    """Median and band of the completed runs, where all of them have data."""

    x: Floats
    median: Floats
    low: Floats
    high: Floats
    n: int


@dataclass(frozen=True)
class Curve:
    """The curve of one optimizer.

    Attributes:
        optimizer: The name of the optimizer.
        band: Median and band of the completed runs; None when there are none.
        lost: Lines of runs that did not complete, with their status: at most `MOST_LOST`, taken
            evenly.
    """

    optimizer: str
    band: Band | None
    lost: list[tuple[str, Line]]

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return self.band is None and not self.lost


def curves(runs: Runs, entries: Sequence[Entry], line: Callable[[int], Line | None]) -> list[Curve]:
    """Return a curve per optimizer; ``line`` gives that of a run, None when it has none."""
    percentiles = min(seeds(runs, entries), default=0) >= PERCENTILES_FROM
    found: list[Curve] = []
    for entry in entries:
        done = completed(runs, entry.chosen)
        ended = set(done)
        lines = [drawn for row in done if (drawn := line(row)) is not None]
        lost = [
            (text(runs.rows[row]["status"]), drawn)
            for row in _evenly([row for row in entry.chosen if row not in ended])
            if (drawn := line(row)) is not None
        ]
        found.append(Curve(entry.optimizer, band(lines, percentiles), lost))
    return found


def _evenly(rows: Sequence[int]) -> list[int]:
    if len(rows) <= MOST_LOST:
        return list(rows)
    return [rows[i] for i in np.linspace(0, len(rows) - 1, MOST_LOST, dtype=int)]


def seeds(runs: Runs, entries: Sequence[Entry]) -> list[int]:
    """Return the numbers of completed runs, of the optimizers that have any."""
    return [n for entry in entries if (n := len(completed(runs, entry.chosen)))]


def band(lines: Sequence[Line], percentiles: bool) -> Band | None:
    """Return median and band of several lines, interpolated onto a common grid if need be."""
    lines = [(x, y) for x, y in lines if len(x)]
    if not lines:
        return None
    first = lines[0][0]
    if all(np.array_equal(x, first) for x, _ in lines):
        x = first
        ys = np.vstack([y for _, y in lines])
    else:
        start, end = max(x[0] for x, _ in lines), min(x[-1] for x, _ in lines)
        if start > end:
            return None
        x: Floats = np.linspace(start, end, GRID, dtype=np.float64)
        ys = np.vstack([np.interp(x, line_x, line_y) for line_x, line_y in lines])
    ends = (10.0, 90.0) if percentiles else (0.0, 100.0)
    low, high = np.percentile(ys, ends, axis=0)
    return Band(x, np.median(ys, axis=0), low, high, len(lines))


def evaluations(runs: Runs, row: int, column: str, split: str, x: str) -> Line | None:
    """Return a metric against steps or seconds, by the evaluations of a run."""
    table = validation(runs, row, column, split)
    return None if table is None else _line(table[x], table[column])


def binned_steps(
    runs: Runs, rows: Sequence[int], columns: Sequence[str], width: int
) -> dict[str, dict[int, Line]]:
    """Return, by column of ``steps.csv`` and row, means over ``width`` steps.

    The last bin of a run may be short. Rows without data in a column are absent.
    """
    found: dict[str, dict[int, Line]] = {column: {} for column in columns}
    for row, table in runs.read_steps(rows):
        for column in columns:
            line = None if table is None else _line(table["step"], table[column])
            if line is not None:
                found[column][row] = _binned(*line, width)
    return found


def _binned(x: Floats, y: Floats, width: int) -> Line:
    starts = np.arange(0, len(x), width)
    sizes = np.diff(np.append(starts, len(x)))
    return np.add.reduceat(x, starts) / sizes, np.add.reduceat(y, starts) / sizes


def bin_width(runs: Runs, entries: Sequence[Entry]) -> int:
    """Return how many steps a bin has, so that the longest run has at most `BINS`."""
    steps = [int(runs.rows[row]["steps"] or 0) for entry in entries for row in entry.chosen]
    return max(1, -(-max(steps, default=1) // BINS))


def by_clock(runs: Runs, row: int, line: Line, clock_column: str) -> Line | None:
    """Return a line against steps as one against another clock of the run's evaluations.

    ``clock_column`` is a column of ``evals.csv``: ``examples`` or ``train_seconds``.
    """
    table = runs.evals.get(row)
    clock = None if table is None else _line(table["step"], table[clock_column])
    if clock is None or len(clock[0]) < 2:
        return None
    steps, first = np.unique(clock[0], return_index=True)
    inside = (line[0] >= steps[0]) & (line[0] <= steps[-1])
    if not inside.any():
        return None
    return np.interp(line[0][inside], steps, clock[1][first]), line[1][inside]


def _line(x: NDArray[np.float64], y: NDArray[np.float64]) -> Line | None:
    x, y = x.astype(float), y.astype(float)
    keep = np.isfinite(x) & np.isfinite(y)
    return (x[keep], y[keep]) if keep.any() else None
