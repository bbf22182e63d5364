# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""From files of others to runs and workloads: `read_logs`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from sgdlab.analysis.load import Runs
from sgdlab.analysis.logs import names
from sgdlab.analysis.logs.as_runs import runs_of
from sgdlab.analysis.logs.options import NAME, LogOptions
from sgdlab.analysis.logs.roles import group_of, no_values, roles
from sgdlab.analysis.logs.shape import ROW, melted, of_chart
from sgdlab.analysis.logs.sources import read_sources
from sgdlab.analysis.workloads import WorkloadRuns

__all__ = ["LogOptions", "LoggedRuns", "read_logs"]

COLUMN, VALUE = "column", "value"
"""What a wide table compares, its columns, and what its cells are unless ``--metric`` says it."""


@dataclass(frozen=True)
class LoggedRuns:
    """Runs of others.

    Attributes:
        runs: Every run.
        parts: What is compared, a workload each.
        said: What was inferred, a line each.
    """

    runs: Runs
    parts: list[WorkloadRuns]
    said: list[str]


def read_logs(paths: Sequence[Path], options: LogOptions, command: str = "") -> LoggedRuns:
    """Read runs of others from tables, text logs, event files or stores.

    Args:
        paths: Files and folders.
        options: Which columns are what; what is not said is inferred.
        command: The command that reads them, for the report.

    Raises:
        InputError: Something cannot be read, or what its columns are cannot be told.
    """
    table = read_sources(paths, options)
    if (chart := of_chart(table)) is not None:
        table = chart
    table, options, said = _shaped(table, options)
    found = roles(table, options)
    runs, parts = runs_of(table, found, command)
    paired = any(part.logged is not None and part.logged.unit for part in parts)
    return LoggedRuns(runs, parts, [*said, *found.said, f"pairs: {_pairs(found.unit, paired)}"])


def _pairs(unit: str, paired: bool) -> str:
    if paired:
        return f"equal {unit}"
    if unit:
        return f"none, since no two contenders share a value of {unit}"
    return "none, no column says which runs belong together (--unit)"


def _shaped(table: pd.DataFrame, options: LogOptions) -> tuple[pd.DataFrame, LogOptions, list[str]]:
    """Give a table the columns that names of runs, or of its own columns, tell."""
    columns = [str(c) for c in table]
    named = table[NAME].astype(str).to_list()
    if options.name:
        return _beside(table, names.by_pattern(named, options.name)), options, []
    has_group = bool(options.group) or bool(group_of(columns))
    if not has_group and all(named):
        parts, how = names.told(named)
        own = {} if names.SEED not in parts or names.SEED not in table else {names.SEED: names.RUN}
        told = _beside(table, parts.rename(columns=own))
        return told, replace(options, group=(names.GROUP,)), [f"compared: {how}"]
    keep = no_values(table)
    wide = [column for column in columns if column not in keep]
    if has_group or options.metric in columns or len(wide) < 2:
        return table, options, []
    metric = options.metric or VALUE
    long = melted(table, keep, COLUMN, metric)
    said = [f"compared: the columns {', '.join(wide[:6])}{', …' if len(wide) > 6 else ''}"]
    if options.unit != ROW:
        long = long.drop(columns=ROW)
    return long, replace(options, group=(COLUMN,), metric=metric), said


def _beside(table: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
    return table.assign(**{str(c): parts[c].to_numpy() for c in parts})
