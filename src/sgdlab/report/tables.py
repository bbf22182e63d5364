"""The tables of a report, as text."""

import math
from typing import Any

from sgdlab.analysis import Analysis, Result, words
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.tables import UNDECIDED
from sgdlab.analysis.verdicts import metric_name
from sgdlab.analysis.workloads import text
from sgdlab.report.document import Table
from sgdlab.results import COMPLETED

PAIRS_NOTE = (
    "Differences are first − second, of the runs that both completed, paired by seed (same initial "
    "weights, same batches). Intervals are 95 % and for one pair alone; the adjusted p is Holm's "
    "over all pairs of the workload, and a verdict needs it below 0.05. Seeds are the only "
    "replication: the luck of tuning is not in these numbers."
)


def comparison(result: Result, short: bool = False) -> Table:
    """Return the comparison of a workload; ``short`` leaves out what does not fit a terminal."""
    metric = result.workload.metric
    tested = any(_known(row["test_metric_mean"]) for row in result.rows)
    names = [("test_metric", f"Test {metric}")] if tested else []
    names += [] if short and tested else [("val_metric", f"Validation {metric}")]
    goal = words.metric(result.target.value, metric)
    records: list[dict[str, str]] = []
    for row, entry in zip(result.rows, result.entries, strict=True):
        record = {"Optimizer": row["optimizer"], "Setting": row["setting"] or words.NOTHING}
        record["Completed"] = _completed(row)
        for prefix, title in names:
            record[title] = words.metric(row[f"{prefix}_mean"], metric)
            low, high = row[f"{prefix}_ci_low"], row[f"{prefix}_ci_high"]
            record[f"95 % CI{'' if prefix == names[0][0] else ' '}"] = words.interval(
                low, high, metric
            )
        if result.target.value is not None:
            record |= _to_target(row, goal, short)
        if not short:
            record["Examples/s"] = words.number(_round3(row["examples_per_second"]))
            record["Peak memory"] = words.memory(row["peak_memory_bytes"])
            record["Optimizer state"] = words.memory(row["optimizer_state_bytes"])
            record |= _tried(row, entry, result)
        records.append(record)
    columns = list(records[0])
    left = {"Optimizer", "Setting"}
    return Table(
        columns=columns,
        rows=[[record[column] for column in columns] for record in records],
        caption=f"{result.workload.name}: means with 95 % t intervals over completed runs, best first.",
        numeric=frozenset(set(columns) - left),
    )


def _known(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _round3(value: float) -> float:
    return float(f"{value:.3g}") if math.isfinite(value) else value


def _completed(row: dict[str, Any]) -> str:
    lost = [f"{row[s]} {s}" for s in ("diverged", "failed", "unfinished") if row[s]]
    return f"{row['completed']} / {row['n']}" + (f" ({', '.join(lost)})" if lost else "")


def _to_target(row: dict[str, Any], goal: str, short: bool) -> dict[str, str]:
    steps, seconds = row["median_steps_to_target"], row["median_seconds_to_target"]
    never = "not reached" if row["n"] else words.NOTHING
    record = {f"Steps to {goal}": f"{steps:,.0f}" if _known(steps) else never}
    if not short:
        record["Seconds"] = words.number(seconds, 3) if _known(seconds) else words.NOTHING
        record["Reached"] = f"{row['reached_target']} / {row['n']}"
    return record


def _tried(row: dict[str, Any], entry: Entry, result: Result) -> dict[str, str]:
    if not any(other.tuned for other in result.entries):
        return {"Settings tried": f"{row['settings_tried']:,}"}
    if not entry.tuned:
        return {"Tuning trials": "not tuned"}
    states = ("diverged", "failed", "unfinished")
    lost = [f"{row[f'tuning_{s}']} {s}" for s in states if row[f"tuning_{s}"]]
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
                f"{low} to {high}" if _known(pair["ci_low"]) else words.NOTHING,
                words.p_value(pair["p_value"]),
                words.p_value(pair["p_adjusted"]),
                verdict,
            ]
        )
    return Table(columns, rows, numeric=frozenset(columns[2:7]), strong=frozenset(strong))


def settings(result: Result) -> Table:
    """Return all settings of the chosen runs, a column per optimizer, in full precision."""
    entries = [entry for entry in result.entries if entry.settings]
    keys = sorted({key for entry in entries for key in entry.settings})
    first = ["lr", "batch_size", "accumulate", "scaling", "schedule", "epochs"]
    keys.sort(key=lambda key: (first.index(key) if key in first else len(first), key))
    rows = [[key, *(_exact(entry, key) for entry in entries)] for key in keys]
    return Table(["Setting", *(entry.optimizer for entry in entries)], rows)


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
            words.number(run["steps"]) if _known(run["steps"]) else words.NOTHING,
            text(run["reason"]) or words.NOTHING,
        ]
        for run in analysis.runs.rows
        if run["status"] != COMPLETED
    ]
    return Table(columns, rows, numeric=frozenset({"Seed", "lr", "Last step"}))


def by_status(analysis: Analysis) -> str:
    """Return how many runs did not complete, by status."""
    states = [str(run["status"]) for run in analysis.runs.rows]
    found = [f"{states.count(s)} {s}" for s in ("diverged", "failed", "unfinished") if s in states]
    return words.listing(found)
