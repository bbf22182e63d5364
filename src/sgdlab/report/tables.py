"""The tables of a report about how well optimizers did and what they cost, as text."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sgdlab.analysis import Analysis, Result, words
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.workloads import text
from sgdlab.checks import is_number
from sgdlab.report.document import Table
from sgdlab.report.verdict import Joint
from sgdlab.results import COMPLETED

_LOST = ("stopped", "diverged", "failed", "unfinished")


def comparison(result: Result) -> Table:
    """Return how well the optimizers of a workload did: their settings, means and intervals."""
    metric = result.workload.metric
    tested = any(is_number(row["test_metric_mean"]) for row in result.rows)
    names = {"test_metric": "Test", "val_metric": "Validation"}
    if result.workload.logged:
        names["val_metric"] = ""
    goal = f"Steps to {words.metric(result.target.value, metric)}"
    records: list[dict[str, str]] = []
    for row in result.rows:
        record = {result.heading: row["optimizer"]}
        for prefix, split in names.items():
            if tested or prefix == "val_metric":
                mean = words.metric(row[f"{prefix}_mean"], metric)
                between = _interval(row, prefix, "ci", metric)
                record[f"{split} {metric}".strip()] = f"{mean} ({between})" if between else mean
        if result.target.value is not None:
            record[goal] = _steps(row)
        record["Completed"] = _completed(row)
        # The number of searches is in the table of settings; here it would be in every cell.
        record["Setting"] = re.sub(r" over \d+ search(es)?\)", ")", row["setting"]) or words.NOTHING
        records.append(record)
    unit = f" over {result.rows[0]['unit']}s" if result.rows else ""
    caption = f"Means with 95 % t intervals{unit}, of completed runs, best first."
    if math.isfinite(result.workload.bounds[1]):
        caption += f" Intervals end at {words.metric(1.0, metric)}."
    if any(row["unit"] == "replicate" for row in result.rows):
        caption += " Settings: the median of each over the searches (smallest–largest)."
    # What was not compared is the same for all, and stands among the settings.
    compared = result.workload.by or result.workload.logged
    if compared and len({record["Setting"] for record in records}) == 1:
        records = [{k: v for k, v in record.items() if k != "Setting"} for record in records]
    return _table(records, caption, left=(result.heading, "Setting"), wide=("Setting",))


def matrix(over: Joint) -> Table:
    """Return every contender on every workload."""
    rows = [[name, *cells] for name, cells in zip(over.contenders, over.cells, strict=True)]
    caption = (
        "Means of the metric of the verdicts. best: the best mean of its workload; undecided: no "
        "test tells it from the best; equivalent: within the margin of it; worse: a test says so."
    )
    return Table(["Optimizer", *over.workloads], rows, caption)


def spread(result: Result) -> Table:
    """Return all that describes the metric of the verdicts, per optimizer."""
    metric, prefix = result.workload.metric, result.prefix

    def value(row: Mapping[str, Any], part: str) -> str:
        return words.plain(row[f"{prefix}_{part}"], metric)

    records = [
        {
            result.heading: row["optimizer"],
            f"{row['unit']}s".capitalize(): words.number(row["units"]),
            "Mean": value(row, "mean"),
            "Median": value(row, "median"),
            "SD": _points(row[f"{prefix}_sd"], metric),
            "95 % CI (t)": _interval(row, prefix, "ci", metric) or words.NOTHING,
            "95 % CI (BCa)": _interval(row, prefix, "bca", metric) or words.NOTHING,
            "Best": value(row, "best"),
            "Worst": value(row, "worst"),
        }
        for row in result.rows
    ]
    unit = ", in %" if metric == "accuracy" else ""
    caption = f"{result.metric_title} of every {result.rows[0]['unit']}{unit}."
    columns = list(dict.fromkeys(key for record in records for key in record))
    records = [{c: record.get(c, words.NOTHING) for c in columns} for record in records]
    return _table(records, caption, left=(result.heading,))


def cost(result: Result) -> Table | None:
    """Return what the optimizers of a workload cost: time, memory and tuning.

    None where the logs of others tell nothing of it.
    """
    records: list[dict[str, str]] = []
    for row, entry in zip(result.rows, result.entries, strict=True):
        record = {result.heading: row["optimizer"]}
        if result.target.value is not None:
            record["Reached target"] = f"{row['reached_target']} / {row['n']}"
            record["Steps to target"] = _steps(row)
            record["Examples to target"] = words.number(_round3(row["median_examples_to_target"]))
            record["Seconds to target"] = words.number(row["median_seconds_to_target"], 3)
        record["Examples/s"] = words.number(_round3(row["examples_per_second"]))
        record["Peak memory"] = words.memory(row["peak_memory_bytes"])
        record["Optimizer state"] = words.memory(row["optimizer_state_bytes"])
        records.append(record | _tried(row, entry, result))
    if result.workload.logged:
        records = _known(records, (result.heading,))
        if all(len(record) == 1 for record in records):
            return None
    caption = "Cost: medians to target and of the rate, largest memory, over the same runs."
    if any(is_number(row["timing_runs"]) for row in result.rows):
        caption = (
            "Cost: medians to target and of the rate, largest memory. Time and memory of stacked "
            "runs were measured alone; see below."
        )
    if any(entry.tuned for entry in result.entries):
        caption += " Tuning: the number of searches, and trials, steps and seconds of one of them."
    return _table(records, caption, left=(result.heading,))


def terminal(result: Result) -> Table:
    """Return the comparison with only as many columns as fit 80 characters."""
    table = comparison(result)
    extra = f"Validation {result.workload.metric}"
    if f"Test {result.workload.metric}" not in table.columns:
        return table
    drop = table.columns.index(extra)
    rows = [[*row[:drop], *row[drop + 1 :]] for row in table.rows]
    return replace(table, columns=[c for c in table.columns if c != extra], rows=rows)


def _known(records: Sequence[dict[str, str]], first: Sequence[str]) -> list[dict[str, str]]:
    """Return records without what is known of none, and without the settings of logs."""
    told = {
        column for column in records[0]
        if column in first or any(record[column] != words.NOTHING for record in records)
    } - {"Settings tried"}  # fmt: skip
    return [{c: record[c] for c in record if c in told} for record in records]


def _table(
    records: Sequence[dict[str, str]], caption: str, left: Sequence[str], wide: Sequence[str] = ()
) -> Table:
    columns = list(records[0])
    rows = [[record[column] for column in columns] for record in records]
    numeric = frozenset(columns) - frozenset(left)
    return Table(columns, rows, caption, numeric=numeric, wide=frozenset(wide))


def _interval(row: Mapping[str, Any], prefix: str, kind: str, metric: str) -> str:
    """Return the ends of an interval, or why there is none; empty where nothing was measured."""
    ends = [row[f"{prefix}_{kind}_{end}"] for end in ("low", "high")]
    if not all(map(is_number, ends)):
        if not is_number(row[f"{prefix}_mean"]):
            return ""
        return f"one {row['unit']}" if row["units"] == 1 else f"equal for every {row['unit']}"
    return " to ".join(words.plain(end, metric) for end in ends)


def _points(value: float, metric: str) -> str:
    if not is_number(value):
        return words.NOTHING
    return f"{100 * value:.2f}" if metric == "accuracy" else words.number(value, 3)


def _round3(value: float) -> float:
    return float(f"{value:.3g}") if math.isfinite(value) else value


def _completed(row: dict[str, Any]) -> str:
    lost = [f"{row[s]} {s}" for s in ("diverged", "failed", "unfinished") if row[s]]
    return f"{row['completed']} / {row['n']}" + (f" ({', '.join(lost)})" if lost else "")


def _steps(row: dict[str, Any]) -> str:
    steps = row.get("median_steps_to_target")
    if is_number(steps):
        return f"{steps:,.0f}"
    return "not reached" if row["n"] else words.NOTHING


def _tried(row: dict[str, Any], entry: Entry, result: Result) -> dict[str, str]:
    if not any(other.tuned for other in result.entries):
        return {"Settings tried": f"{row['settings_tried']:,}"}
    names = ("Searches", "Trials of one", "Steps of one", "Seconds of one")
    if not entry.tuned:
        return dict.fromkeys(names, words.NOTHING) | {names[0]: "not tuned"}
    lost = [f"{row[f'tuning_{s}']} {s}" for s in _LOST if row[f"tuning_{s}"]]
    count = max(len(entry.trials_of), 1)
    searches = f"{count}" + (f" ({', '.join(lost)} in all)" if lost else "")
    trials = words.number(row["tuning_trials"] / count, 3)
    steps = words.number(_round3(row.get("tuning_steps", math.nan)))
    seconds = words.number(row.get("tuning_seconds"), 3)
    return dict(zip(names, (searches, trials, steps, seconds), strict=True))


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
            text(run["contender"]) or text(run["optimizer"]) or "unknown",
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
    wide = frozenset({"Run", "Reason"})
    return Table(columns, rows, numeric=frozenset({"Seed", "lr", "Last step"}), wide=wide)


def by_status(analysis: Analysis) -> str:
    """Return how many runs did not complete, by status."""
    states = [str(run["status"]) for run in analysis.runs.rows]
    found = [f"{states.count(s)} {s}" for s in _LOST if s in states]
    return words.listing(found)
