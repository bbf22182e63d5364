"""The best trial of each optimizer of a comparison."""

import math
from collections.abc import Mapping, Sequence
from typing import cast

from sgdlab.display import metric_text, number, stdout
from sgdlab.notices import warn
from sgdlab.results import COMPLETED, Cell
from sgdlab.search import Value


def winners_of(
    trials: Mapping[str, Sequence[Mapping[str, Value]]],
    rows: Sequence[Mapping[str, Cell]],
    select_by: str,
) -> dict[str, int]:
    """Return the best completed trial of each optimizer, and say which it is.

    Args:
        trials: The settings of each trial, by optimizer.
        rows: The summaries of all.
        select_by: The column that decides.
    """
    winners: dict[str, int] = {}
    for name, drawn in trials.items():
        own = [row for row in rows if row["optimizer"] == name and row["status"] == COMPLETED]
        if not own:
            warn(f"{name}: none of {len(drawn)} trials completed, so it has no final runs")
            continue
        best = min(own, key=lambda row: _badness(row, select_by))
        winners[name] = cast(int, best["trial"])
        settings = " ".join(f"{key}={value}" for key, value in drawn[winners[name]].items())
        stdout().print(
            f"{name}: trial {winners[name]} of {len(drawn)} chosen by {select_by}: "
            f"{settings} (val loss {number(best['final_val_loss'])}, "
            f"val {best['metric']} {metric_text(str(best['metric']), best['final_val_metric'])})"
        )
    return winners


def _badness(row: Mapping[str, Cell], select_by: str) -> tuple[float, int]:
    value = row.get(select_by)
    bad = float(value) if isinstance(value, int | float) else math.inf
    if select_by.endswith("metric") and row["metric_direction"] == "max":
        bad = -bad
    return bad if math.isfinite(bad) else math.inf, cast(int, row["trial"])
