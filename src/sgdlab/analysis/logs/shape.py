# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""Turns wide tables, a column per run or group, into long ones, a row per value."""

import re

import pandas as pd

from sgdlab.analysis.logs.options import FILE, NAME

ROW = "row"
"""Column with the number of the row of a wide table."""

_CHART = re.compile(r"^(?P<run>.+) - (?P<metric>.+?)(?P<band>__(?:MIN|MAX))?$")
_CHART_STEP = "Step"


def of_chart(table: pd.DataFrame) -> pd.DataFrame | None:
    """Return W&B's export of a chart as a long table; None where a table is none.

    Its columns are ``Step`` and ``RUN - METRIC``, each with ``__MIN`` and ``__MAX`` beside it.
    """
    if _CHART_STEP not in table:
        return None
    others = [c for c in table if c not in (_CHART_STEP, NAME, FILE)]
    found = {column: _CHART.match(str(column)) for column in others}
    parts: list[pd.DataFrame] = []
    for column, match in found.items():
        if match is None:
            return None
        if match["band"] or match["metric"] == "_step":
            continue
        part = table[[_CHART_STEP, FILE]].assign(
            **{NAME: match["run"], match["metric"]: table[column]}
        )
        parts.append(part[part[match["metric"]].notna()])
    return pd.concat(parts, ignore_index=True) if parts else None


def melted(table: pd.DataFrame, keep: list[str], group: str, metric: str) -> pd.DataFrame:
    """Return a table with a column per group as a long one, with the number of its row as `ROW`.

    Args:
        table: The wide table.
        keep: Columns that are no groups.
        group: The column that is to hold the names of the others.
        metric: The column that is to hold their values.
    """
    numbered = table.assign(**{ROW: range(1, len(table) + 1)})
    long = numbered.melt(id_vars=[*keep, ROW], var_name=group, value_name=metric)
    return long[long[metric].notna()].reset_index(drop=True)
