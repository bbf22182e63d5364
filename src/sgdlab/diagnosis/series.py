"""Arithmetic on series of losses and norms that are short, long, noisy or not finite."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdlab.terminal.plot import PlotLine

Series = NDArray[np.float64]


def block_means(values: Series, count: int) -> Series:
    """Return the means of up to ``count`` blocks of equal length, in order."""
    return np.array([block.mean() for block in blocks(values, count)])


def blocks(values: Series, count: int) -> list[Series]:
    """Return up to ``count`` blocks of equal length; the first are one longer where needed."""
    return [b for b in np.array_split(values, max(1, min(count, len(values)))) if len(b)]


def running_median(values: Series, width: int) -> Series:
    """Return the medians of a window about each value; at the ends it looks inwards.

    Args:
        values: The series, of at least one value.
        width: The odd number of values in the window.
    """
    width = min(width, len(values) - (len(values) + 1) % 2)
    if width < 3:
        return values.copy()
    half = width // 2
    padded = np.pad(values, half, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, width)
    parts = [np.median(windows[at : at + 4096], axis=1) for at in range(0, len(values), 4096)]
    return np.concatenate(parts)


def spread(values: Series) -> float:
    """Return a standard deviation that outliers do not move: 1.4826 times the median deviation."""
    if not len(values):
        return 0.0
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def noise_of(values: Series) -> float:
    """Return the standard deviation about the local trend, from second differences.

    ``x_i - (x_{i-1} + x_{i+1})/2`` has 1.5 times the variance of independent noise, and nothing of
    a straight line.
    """
    if len(values) < 3:
        return 0.0
    bends = values[1:-1] - (values[:-2] + values[2:]) / 2
    return 1.4826 * float(np.median(np.abs(bends))) / float(np.sqrt(1.5))


def autocorrelation(values: Series) -> float:
    """Return the correlation of neighbours in a series without trend; NaN if it is constant."""
    centred = values - values.mean()
    total = float(centred @ centred)
    return float(centred[1:] @ centred[:-1]) / total if total > 0 else float("nan")


def rank_trend(values: Series) -> float:
    """Return Spearman's correlation of a series with its order: 1 where it never falls."""
    if len(values) < 3 or np.ptp(values) == 0:
        return 0.0
    ranks = np.argsort(np.argsort(values)).astype(float)
    return float(np.corrcoef(ranks, np.arange(len(values)))[0, 1])


def rises(values: Series) -> tuple[float, float]:
    """Return the sum of all rises and of all falls."""
    changes = np.diff(values)
    return float(changes[changes > 0].sum()), float(-changes[changes < 0].sum())


def largest_rise(values: Series) -> tuple[int, int]:
    """Return the positions of a low and of a later high with the largest difference."""
    above = values - np.minimum.accumulate(values)
    high = int(above.argmax())
    return int(values[: high + 1].argmin()), high


def first_where(condition: NDArray[Any]) -> int | None:
    """Return the first position at which a condition holds."""
    return int(condition.argmax()) if condition.any() else None


def curve(name: str, x: Series, y: Series, points: int = 240) -> PlotLine:
    """Return a curve to draw: long ones as extremes of blocks, so that no spike is lost."""
    if len(x) > points:
        chosen: list[int] = []
        for block in np.array_split(np.arange(len(x)), points // 2):
            values = np.where(np.isfinite(y[block]), y[block], -np.inf)
            ends: Sequence[int] = (int(block[values.argmin()]), int(block[values.argmax()]))
            chosen += sorted(set(ends))
        x, y = x[chosen], y[chosen]
    return PlotLine(name, x.tolist(), y.tolist())
