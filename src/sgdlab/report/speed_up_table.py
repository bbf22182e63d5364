# pyright: reportMissingTypeStubs=false
"""How many times sooner others reach the loss that a reference reaches at its end, as a table."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from sgdlab.analysis import Analysis, Result, words
from sgdlab.analysis.speed_ups import SPEED_UP_COLUMNS
from sgdlab.report.document import Table

_CLOCKS = {"step": "Steps", "examples": "Examples", "train_seconds": "Seconds"}


def speed_up_frame(analysis: Analysis) -> pd.DataFrame:
    """Return the content of ``speedup.csv``; empty where nothing could be paired."""
    rows = [row for result in analysis.results for row in result.speed_ups]
    cells = [[None if (c := row[k]) != c else c for k in SPEED_UP_COLUMNS] for row in rows]
    return pd.DataFrame(cells, columns=pd.Index(SPEED_UP_COLUMNS), dtype=object)


def speed_up_table(result: Result) -> Table | None:
    """Return a row per contender and a column per clock that ran; None without any."""
    if not result.speed_ups:
        return None
    reference, column = (result.speed_ups[0][key] for key in ("reference", "column"))
    by_name: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in result.speed_ups:
        by_name.setdefault(row["optimizer"], {})[row["clock"]] = row
    clocks = [clock for clock in _CLOCKS if any(clock in own for own in by_name.values())]
    rows: list[list[str]] = []
    for name, own in by_name.items():
        one = next(iter(own.values()))
        cells = [_said(own[clock]) if clock in own else words.NOTHING for clock in clocks]
        rows.append([name, f"{one['reached']} / {one['n']}", *cells])
    goal = column if result.workload.logged else f"validation {column}"
    caption = (
        f"How many times sooner than {reference} each reaches the {goal} that {reference} reaches "
        "at its end: geometric mean over pairs with its 95 % t interval. ≤: where some never "
        "arrive the interval is open below, and its upper end a bound."
    )
    columns = [result.heading, "Arrived", *(_CLOCKS[clock] for clock in clocks)]
    return Table(columns, rows, caption, numeric=frozenset(columns[1:]))


def _said(row: Mapping[str, Any]) -> str:
    ratio, low, high = (row[key] for key in ("ratio", "low", "high"))
    if not math.isfinite(ratio):
        return row["note"] or words.NOTHING
    if low == 0:
        return f"≤ {words.number(high, 3)} ×"
    if not math.isfinite(low):
        return f"{words.number(ratio, 3)} ×"
    return f"{words.number(ratio, 3)} × ({words.number(low, 3)} to {words.number(high, 3)})"


def said_of(mean: float, low: float, high: float) -> str:
    """Return the mean log of a ratio with its interval as a factor: ``1.5 × (1.2 to 1.9)``."""
    if not math.isfinite(mean):
        return words.NOTHING
    ratio = f"{words.number(math.exp(mean), 3)} ×"
    if not (math.isfinite(low) and math.isfinite(high)):
        return ratio
    ends = (words.number(math.exp(end), 3) for end in (low, high))
    return f"{ratio} ({' to '.join(ends)})"
