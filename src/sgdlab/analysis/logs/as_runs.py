# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Makes runs, as the analysis knows them, of the rows of a table."""

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sgdlab.analysis.load import Row, Runs
from sgdlab.analysis.logs.options import FILE, NAME
from sgdlab.analysis.logs.roles import Roles
from sgdlab.analysis.workloads import PROPORTIONS, Logged, WorkloadRuns
from sgdlab.errors import InputError
from sgdlab.results import (
    COMPLETED,
    DIVERGED,
    FAILED,
    LABEL_COLUMNS,
    SUMMARY_COLUMNS,
    UNFINISHED,
    Cell,
    Columns,
)

Floats = NDArray[np.float64]

_COLUMNS = ["directory", *SUMMARY_COLUMNS, *LABEL_COLUMNS]
_STATUS = {
    "failed": FAILED, "crashed": FAILED, "killed": FAILED, "running": UNFINISHED,
    "unfinished": UNFINISHED, "diverged": DIVERGED, "scheduled": UNFINISHED,
}  # fmt: skip
"""What trackers call the end of a run; whatever else it is called, it ended."""

_MOST_SHOWN = 80


def runs_of(table: pd.DataFrame, roles: Roles, command: str) -> tuple[Runs, list[WorkloadRuns]]:
    """Return the rows of a long table as runs, and its workloads.

    Without a step each row is a run; with one a run is what group, unit, name and identifier agree
    in, and its value is that at the last step. A run whose value is NaN or infinite has diverged;
    one without a value has failed.

    Raises:
        InputError: A value is no number, or two runs or two values of a run cannot be told apart.
    """
    told = table[[*roles.group]].notna().all(axis=1)
    table = table[told].reset_index(drop=True)
    values = _numbers(table, roles.metric)
    keys = pd.DataFrame(
        {"workload": _label(table, roles.workload), "group": _label(table, roles.group)}
    )
    units = _units(table, roles.unit)
    own = [table[column].astype(str) for column in (NAME, FILE, *roles.runs) if column in table]
    if roles.step:
        parts = [keys["workload"], keys["group"], pd.Series(units), *own]
        places = pd.concat(parts, axis=1, ignore_index=True).groupby(
            list(range(len(parts))), sort=False, dropna=False
        ).indices.values()  # fmt: skip
    else:
        places = [np.array([row]) for row in range(len(table))]
    made = _RunMaker(table, roles, values, units, keys)
    found = Runs(_COLUMNS, [], [], {}, [])
    nothing: dict[str, Cell] = {}
    for rows in places:
        row, evals = made.run(np.asarray(rows))
        if evals is not None:
            found.evals[len(found.rows)] = evals
        found.environments[len(found.rows)] = {}
        found.rows.append(row)
        found.configs.append(nothing)
    paired = bool(roles.unit) and _pairs(found.rows)
    _refuse_doubles(found.rows, roles, paired)
    if not paired:
        for row in found.rows:
            row["seed"] = None
    return found, _workloads(found, roles, values, paired, command)


class _RunMaker:
    """Makes one run after the other."""

    def __init__(
        self, table: pd.DataFrame, roles: Roles, values: Floats, units: Floats, keys: pd.DataFrame
    ) -> None:
        self.roles, self.values, self.units = roles, values, units
        self.workload, self.group = keys["workload"].to_numpy(), keys["group"].to_numpy()
        self.names, self.files = table[NAME].to_numpy(), table[FILE].to_numpy()
        self.status = table[roles.status].to_numpy() if roles.status else None
        self.steps = _numbers(table, roles.step) if roles.step else None
        self.examples = _numbers(table, roles.examples) if roles.examples else None
        seconds = _numbers(table, roles.seconds) if roles.seconds else None
        milli = seconds is not None and roles.seconds.lower().endswith("_ms")
        self.seconds = seconds / 1000 if seconds is not None and milli else seconds

    def run(self, rows: NDArray[np.intp]) -> tuple[Row, Columns | None]:
        """Return a run and its evaluations; None without steps."""
        first = rows[0]
        row: Row = dict.fromkeys(_COLUMNS)
        name = str(self.names[first])
        row |= {
            "directory": f"{self.files[first]}{f' ({name})' if name else ''}",
            "contender": self.group[first],
            "optimizer": self.group[first],
            "dataset": self.workload[first],
            "metric": self.roles.metric,
            "metric_direction": "max" if self.roles.maximise else "min",
        }
        unit = self.units[first]
        row["seed"] = None if math.isnan(unit) else int(unit) if unit == int(unit) else float(unit)
        rows = rows[~np.isnan(self.values[rows])]
        evals = None
        if self.steps is not None and len(rows):
            rows = rows[np.argsort(self.steps[rows], kind="stable")]
            evals = self._evals(rows, row)
        self._end(row, rows)
        return row, evals

    def _end(self, row: Row, rows: NDArray[np.intp]) -> None:
        values = self.values[rows]
        last = float(values[-1]) if len(values) else math.nan
        said = "" if self.status is None or not len(rows) else str(self.status[rows[-1]])
        row["status"] = _STATUS.get(said.lower(), COMPLETED)
        if said and row["status"] != COMPLETED:
            row["reason"] = said
        elif not len(values):
            row |= {"status": FAILED, "reason": f"no {self.roles.metric}"}
        elif not math.isfinite(last):
            row |= {"status": DIVERGED, "reason": f"the last {self.roles.metric} is not finite"}
        if math.isfinite(last):
            row["final_val_metric"] = last

    def _evals(self, rows: NDArray[np.intp], row: Row) -> Columns:
        assert self.steps is not None
        steps, values = self.steps[rows], self.values[rows]
        if (np.diff(steps) == 0).any():
            place = int(np.flatnonzero(np.diff(steps) == 0)[0])
            raise InputError(
                f"{self.files[rows[0]]}: two values of {self.roles.metric} at {self.roles.step} "
                f"{steps[place]:g} of {row['contender']}: what tells its runs apart? Name it by "
                "--unit, --group or --workload"
            )
        nothing = np.full(len(rows), np.nan)
        seconds = nothing if self.seconds is None else self.seconds[rows]
        examples = nothing if self.examples is None else self.examples[rows]
        row["steps"] = int(steps[-1]) if math.isfinite(steps[-1]) else None
        if math.isfinite(seconds[-1]):
            row["train_seconds"] = float(seconds[-1])
        finite = np.isfinite(values)
        if finite.any():
            best = values[finite].max() if self.roles.maximise else values[finite].min()
            row["best_val_metric"] = float(best)
        evals: Columns = {
            "step": steps, "epoch": nothing, "examples": examples, "train_seconds": seconds,
            "loss": nothing,
            "weights": np.full(len(rows), "raw"), "split": np.full(len(rows), "val"),
        }  # fmt: skip
        values = np.where(finite, values, np.inf * (-1 if self.roles.maximise else 1))
        return evals | {self.roles.metric: values}


def _numbers(table: pd.DataFrame, column: str) -> Floats:
    """Return a column as numbers: NaN where it is empty, inf where a run wrote none that is one."""
    cells = table[column]
    if pd.api.types.is_numeric_dtype(cells):
        return cells.to_numpy(dtype=float, na_value=np.nan)
    texts = cells.astype("string").str.strip().str.lower()
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    odd = texts.isin(["nan", "inf", "-inf", "infinity", "-infinity"]).to_numpy(dtype=bool)
    empty = cells.isna().to_numpy(dtype=bool) | (texts == "").fillna(True).to_numpy(dtype=bool)
    bad = np.flatnonzero(np.isnan(numbers) & ~odd & ~empty)
    if len(bad):
        cell = str(cells.iloc[bad[0]])[:_MOST_SHOWN]
        where = f"{table[FILE].iloc[bad[0]]}, row {bad[0] + 1}"
        raise InputError(f"{where}: {column} is {cell!r}, which is no number")
    return np.where(odd, np.inf, numbers)


def _label(table: pd.DataFrame, columns: tuple[str, ...]) -> pd.Series:
    """Return the values of some columns as one text."""
    if not columns:
        return pd.Series("", index=table.index)
    texts = [table[c].map(_text).to_list() for c in columns]
    return pd.Series([" ".join(parts) for parts in zip(*texts, strict=True)], index=table.index)


def _text(cell: Any) -> str:
    return f"{cell:g}" if isinstance(cell, float) else str(cell)


def _units(table: pd.DataFrame, column: str) -> Floats:
    """Return a number for each unit: its own, or that of its place among others by name."""
    if not column:
        return np.full(len(table), np.nan)
    cells = table[column]
    numbers = pd.to_numeric(cells, errors="coerce")
    if (numbers.isna() == cells.isna()).all():
        return numbers.to_numpy(dtype=float, na_value=np.nan)
    names = {name: float(place) for place, name in enumerate(sorted(set(cells.dropna().map(str))))}
    found = [math.nan if pd.isna(cell) else names[str(cell)] for cell in cells]
    return np.array(found, dtype=np.float64)


def _pairs(rows: list[Row]) -> bool:
    """Say whether any unit is one of two groups on the same workload."""
    seen: dict[tuple[str, float], set[str]] = {}
    for row in rows:
        if row["seed"] is not None:
            seen.setdefault((row["dataset"], row["seed"]), set()).add(row["contender"])
    return any(len(groups) > 1 for groups in seen.values())


def _refuse_doubles(rows: list[Row], roles: Roles, paired: bool) -> None:
    seen: set[tuple[str, str, float]] = set()
    for row in rows if paired else ():
        if row["seed"] is None:
            continue
        key = row["dataset"], row["contender"], row["seed"]
        if key in seen:
            raise InputError(
                f"{row['directory']}: two runs of {row['contender']} with {roles.unit} "
                f"{row['seed']}: what tells them apart? Name it by --group, --workload or --step, "
                "or what pairs runs by --unit"
            )
        seen.add(key)


def _workloads(
    runs: Runs, roles: Roles, values: Floats, paired: bool, command: str
) -> list[WorkloadRuns]:
    metric = roles.metric
    finite = values[np.isfinite(values)]
    if metric in PROPORTIONS and len(finite) and (finite.max() > 1 or finite.min() < 0):
        metric = f"{metric} in %"
        for evals in runs.evals.values():
            evals[metric] = evals.pop(roles.metric)
    by_name: dict[str, list[int]] = {}
    for row, run in enumerate(runs.rows):
        run["metric"] = metric
        by_name.setdefault(run["dataset"], []).append(row)
    logged = Logged(" ".join(roles.group), roles.unit if paired else "", command)
    return [
        WorkloadRuns(name, "", metric, roles.maximise, rows, logged=logged)
        for name, rows in sorted(by_name.items())
    ]
