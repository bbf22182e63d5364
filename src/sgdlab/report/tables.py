"""The tables of a report, as text."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sgdlab.analysis import Analysis, Result, words
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.tables import UNDECIDED
from sgdlab.analysis.verdicts import metric_name
from sgdlab.analysis.workloads import text
from sgdlab.checks import is_number
from sgdlab.report.document import Table
from sgdlab.results import COMPLETED

PAIRS_NOTE = (
    "Differences are first − second, of the runs that both completed, paired by seed (same initial "
    "weights, same batches). Intervals are 95 % and for one pair alone; the adjusted p is Holm's "
    "over all pairs of the workload, and a verdict needs it below 0.05. Seeds are the only "
    "replication: the luck of tuning is not in these numbers."
)

_LOST = ("stopped", "diverged", "failed", "unfinished")


def comparison(result: Result) -> Table:
    """Return how well the optimizers of a workload did: their settings, means and intervals."""
    metric = result.workload.metric
    tested = any(is_number(row["test_metric_mean"]) for row in result.rows)
    names = {"test_metric": "Test", "val_metric": "Validation"}
    goal = f"Steps to {words.metric(result.target.value, metric)}"
    records: list[dict[str, str]] = []
    for row in result.rows:
        record = {"Optimizer": row["optimizer"], "Setting": row["setting"] or words.NOTHING}
        record["Completed"] = _completed(row)
        for prefix, split in names.items():
            low, high = (words.plain(row[f"{prefix}_ci_{end}"], metric) for end in ("low", "high"))
            between = f" ({low} to {high})" if is_number(row[f"{prefix}_ci_low"]) else ""
            if tested or prefix == "val_metric":
                mean = words.metric(row[f"{prefix}_mean"], metric)
                record[f"{split} {metric}"] = f"{mean}{between}"
        if result.target.value is not None:
            record[goal] = _steps(row)
        records.append(record)
    caption = "Means with 95 % t intervals over completed runs, best first."
    return _table(records, caption, left=("Optimizer", "Setting"))


def cost(result: Result) -> Table:
    """Return what the optimizers of a workload cost: time, memory and tuning."""
    records: list[dict[str, str]] = []
    for row, entry in zip(result.rows, result.entries, strict=True):
        record = {"Optimizer": row["optimizer"]}
        if result.target.value is not None:
            record["Reached target"] = f"{row['reached_target']} / {row['n']}"
            record["Steps to target"] = _steps(row)
            record["Seconds to target"] = words.number(row["median_seconds_to_target"], 3)
        record["Examples/s"] = words.number(_round3(row["examples_per_second"]))
        record["Peak memory"] = words.memory(row["peak_memory_bytes"])
        record["Optimizer state"] = words.memory(row["optimizer_state_bytes"])
        records.append(record | _tried(row, entry, result))
    caption = "Cost: medians to target and of the rate, largest memory, over the same runs."
    if any(is_number(row["timing_runs"]) for row in result.rows):
        caption = (
            "Cost: medians to target and of the rate, largest memory. Time and memory of stacked "
            "runs were measured alone; see below."
        )
    return _table(records, caption, left=("Optimizer",))


def terminal(result: Result) -> Table:
    """Return the comparison with only as many columns as fit 80 characters."""
    table = comparison(result)
    extra = f"Validation {result.workload.metric}"
    if f"Test {result.workload.metric}" not in table.columns:
        return table
    drop = table.columns.index(extra)
    rows = [[*row[:drop], *row[drop + 1 :]] for row in table.rows]
    return replace(table, columns=[c for c in table.columns if c != extra], rows=rows)


def _table(records: Sequence[dict[str, str]], caption: str, left: Sequence[str]) -> Table:
    columns = list(records[0])
    rows = [[record[column] for column in columns] for record in records]
    return Table(columns, rows, caption, numeric=frozenset(columns) - frozenset(left))


def _round3(value: float) -> float:
    return float(f"{value:.3g}") if math.isfinite(value) else value


def _completed(row: dict[str, Any]) -> str:
    lost = [f"{row[s]} {s}" for s in ("diverged", "failed", "unfinished") if row[s]]
    return f"{row['completed']} / {row['n']}" + (f" ({', '.join(lost)})" if lost else "")


def _steps(row: dict[str, Any]) -> str:
    steps = row["median_steps_to_target"]
    if is_number(steps):
        return f"{steps:,.0f}"
    return "not reached" if row["n"] else words.NOTHING


def _tried(row: dict[str, Any], entry: Entry, result: Result) -> dict[str, str]:
    if not any(other.tuned for other in result.entries):
        return {"Settings tried": f"{row['settings_tried']:,}"}
    if not entry.tuned:
        return {"Tuning trials": "not tuned"}
    lost = [f"{row[f'tuning_{s}']} {s}" for s in _LOST if row[f"tuning_{s}"]]
    return {
        "Tuning trials": f"{row['tuning_trials']:,}" + (f" ({', '.join(lost)})" if lost else "")
    }


def pairs(result: Result) -> Table:
    """Return the pairwise tests of a workload."""
    metric = result.workload.metric
    unit = " (points)" if metric == "accuracy" else ""
    title = f"Difference in {metric_name(result.workload, result.column)}{unit}"
    columns = ["First", "Second", "Pairs", title, "95 % CI", "p", "Adjusted p", "Verdict"]
    rows: list[list[str]] = []
    strong: set[int] = set()
    for number, pair in enumerate(result.pairs):
        low, high = (words.difference(pair[e], metric, unit=False) for e in ("ci_low", "ci_high"))
        verdict = pair["verdict"] + (f" ({pair['note']})" if pair["note"] else "")
        if pair["verdict"] != UNDECIDED:
            strong.add(number)
        rows.append(
            [
                pair["first"],
                pair["second"],
                str(pair["n_pairs"]),
                words.difference(pair["mean_difference"], metric, unit=False),
                f"{low} to {high}" if is_number(pair["ci_low"]) else words.NOTHING,
                words.p_value(pair["p_value"]),
                words.p_value(pair["p_adjusted"]),
                verdict,
            ]
        )
    return Table(columns, rows, numeric=frozenset(columns[2:7]), strong=frozenset(strong))


def settings(result: Result) -> tuple[Table, Table]:
    """Return the settings of the chosen runs in full precision, a column per optimizer.

    The second table has those that all of several optimizers share.
    """
    entries = [entry for entry in result.entries if entry.settings]
    keys = sorted({key for entry in entries for key in entry.settings})
    first = ["lr", "batch_size", "accumulate", "scaling", "schedule", "epochs"]
    keys.sort(key=lambda key: (first.index(key) if key in first else len(first), key))
    rows = {key: [_exact(entry, key) for entry in entries] for key in keys}
    shared = [key for key in keys if len(entries) > 1 and len(set(rows[key])) == 1]
    own = [[key, *rows[key]] for key in keys if key not in shared]
    columns = ["Setting", *(entry.optimizer for entry in entries)]
    common = [[key, rows[key][0]] for key in shared]
    return Table(columns, own), Table(["Setting", "Value"], common)


def _exact(entry: Entry, key: str) -> str:
    if key not in entry.settings:
        return words.NOTHING
    value = entry.settings[key]
    return repr(value) if isinstance(value, float) else words.setting(value)


def not_completed(analysis: Analysis) -> Table:
    """Return every run that did not complete, tuning trials included."""
    columns = ["Run", "Optimizer", "Phase", "Seed", "lr", "Status", "Last step", "Reason"]
    rows = [
        [
            run["directory"],
            text(run["optimizer"]) or "unknown",
            text(run["phase"]) or words.NOTHING,
            words.NOTHING if run["seed"] is None else str(run["seed"]),
            words.setting(run["base_lr"]) if run["base_lr"] is not None else words.NOTHING,
            str(run["status"]),
            words.number(run["steps"]) if is_number(run["steps"]) else words.NOTHING,
            text(run["reason"]) or words.NOTHING,
        ]
        for run in analysis.runs.rows
        if run["status"] != COMPLETED
    ]
    return Table(columns, rows, numeric=frozenset({"Seed", "lr", "Last step"}))


def by_status(analysis: Analysis) -> str:
    """Return how many runs did not complete, by status."""
    states = [str(run["status"]) for run in analysis.runs.rows]
    found = [f"{states.count(s)} {s}" for s in _LOST if s in states]
    return words.listing(found)
