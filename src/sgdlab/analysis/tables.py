# pyright: reportMissingTypeStubs=false
"""The two tables of a report: a row per optimizer, and a row per pair of optimizers."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from sgdlab.analysis.alone import STACKED, Alone
from sgdlab.analysis.entries import Entry, seed_of
from sgdlab.analysis.load import Runs
from sgdlab.analysis.statistics import ALPHA, NAN, censored_median, describe, holm, paired_t
from sgdlab.analysis.targets import Target, completed, numbers, reach
from sgdlab.analysis.workloads import Workload, text
from sgdlab.halving import saved
from sgdlab.results import COMPLETED, DIVERGED, FAILED, STOPPED, UNFINISHED

FIRST_BETTER, SECOND_BETTER, UNDECIDED = "first better", "second better", "undecided"

_PARTS = ("mean", "sd", "ci_low", "ci_high", "median")

COMPARISON_COLUMNS = (
    "dataset", "model", "optimizer", "setting", "settings_tried", "n", "completed", "diverged",
    "failed", "unfinished", "metric", "metric_direction",
    *(f"test_metric_{part}" for part in _PARTS), *(f"val_metric_{part}" for part in _PARTS),
    "target", "reached_target", "median_steps_to_target", "median_seconds_to_target",
    "examples_per_second", "peak_memory_bytes", "optimizer_state_bytes",
    "tuning_trials", "tuning_diverged", "tuning_failed", "tuning_unfinished", "stacked",
    "timing_runs", "timing_steps", "tuning_stopped", "tuning_steps_saved",
)  # fmt: skip
"""``comparison.csv``. Means, medians, rates and memory are of completed runs; ``peak_memory_bytes``
and ``optimizer_state_bytes`` are the largest, ``examples_per_second`` the median. A median to
target counts a run that never reached it as infinite, and is empty where it is not reached.

Of the ``n`` runs ``stacked`` were trained in a stack, and have no time or memory of their own:
these are taken from ``timing_runs`` short runs alone of ``timing_steps`` steps each, a run's
seconds being its steps times their median seconds per step. Without such runs they are empty.

``tuning_stopped`` trials lost at a rung of successive halving; ``tuning_steps_saved`` is the share
of the tuning's steps that they did not make."""

PAIRWISE_COLUMNS = (
    "dataset", "model", "first", "second", "metric", "n_pairs", "mean_difference", "ci_low",
    "ci_high", "p_value", "p_adjusted", "verdict", "note",
)  # fmt: skip
"""``pairwise.csv``: differences are first − second; intervals are not adjusted, p_adjusted is."""


def comparison_row(
    runs: Runs, alone: Mapping[int, Alone], workload: Workload, entry: Entry, target: Target
) -> dict[str, object]:
    """Return the row of ``comparison.csv`` of one optimizer; ``alone`` is by `with_times`."""
    status = [text(runs.rows[row]["status"]) for row in entry.chosen]
    done = completed(runs, entry.chosen)
    row: dict[str, object] = {
        "dataset": workload.dataset,
        "model": workload.model,
        "optimizer": entry.optimizer,
        "setting": entry.setting,
        "settings_tried": entry.settings_tried,
        "n": len(entry.chosen),
        "metric": workload.metric,
        "metric_direction": "max" if workload.maximise else "min",
        **{name: status.count(name) for name in (COMPLETED, DIVERGED, FAILED, UNFINISHED)},
    }
    for prefix, column in (("test_metric", "test_metric"), ("val_metric", "final_val_metric")):
        description = describe(numbers(runs, done, column))
        row |= {f"{prefix}_{part}": getattr(description, part) for part in _PARTS}
    row |= _to_target(runs, workload, entry, target)
    row |= _cost(runs, alone, entry)
    trials = [text(runs.rows[trial]["status"]) for trial in entry.trials]
    if entry.tuned:
        row["tuning_trials"] = len(trials)
        row |= {f"tuning_{s}": trials.count(s) for s in (DIVERGED, FAILED, UNFINISHED, STOPPED)}
    if STOPPED in trials:
        halved = saved((runs.rows[trial], runs.configs[trial]) for trial in entry.trials)
        row["tuning_steps_saved"] = halved.share
    return row


def _cost(runs: Runs, alone: Mapping[int, Alone], entry: Entry) -> dict[str, object]:
    """Return rate and memory of the completed runs, and where those of stacked runs come from."""
    done = completed(runs, entry.chosen)
    columns = ("examples_per_second", "peak_memory_bytes", "optimizer_state_bytes")
    rates, peaks, states = (numbers(runs, done, column) for column in columns)
    size = zip(done, numbers(runs, done, "examples"), numbers(runs, done, "steps"), strict=True)
    for row, examples, steps in size:
        if row in alone:
            rates.append(examples / (steps * alone[row].seconds_per_step) if steps else NAN)
            peaks.append(alone[row].peak_memory_bytes)
    told = list(dict.fromkeys(alone[row] for row in entry.chosen if row in alone))
    return {
        "examples_per_second": describe(rates).median,
        "peak_memory_bytes": _largest(peaks),
        "optimizer_state_bytes": _largest(states),
        "stacked": sum(runs.rows[row]["engine"] == STACKED for row in entry.chosen),
        "timing_runs": sum(cost.runs for cost in told) or NAN,
        "timing_steps": min((cost.steps for cost in told), default=NAN),
    }


def _largest(values: Sequence[float]) -> float:
    return max((value for value in values if math.isfinite(value)), default=NAN)


def _to_target(runs: Runs, workload: Workload, entry: Entry, target: Target) -> dict[str, object]:
    if target.value is None:
        return {}
    reached = [reach(runs, workload, row, target.value) for row in entry.chosen]
    seconds = [r.seconds for r in reached]
    timed = not any(math.isnan(s) for s in seconds)
    return {
        "target": target.value,
        "reached_target": sum(math.isfinite(r.steps) for r in reached),
        "median_steps_to_target": _finite(censored_median([r.steps for r in reached])),
        "median_seconds_to_target": _finite(censored_median(seconds)) if timed else NAN,
    }


def _finite(value: float) -> float:
    return value if math.isfinite(value) else NAN


def verdict_column(runs: Runs, entries: Sequence[Entry]) -> str:
    """Return the metric of the verdicts: ``test_metric`` when every completed run has it."""
    values = [
        value
        for entry in entries
        for value in numbers(runs, completed(runs, entry.chosen), "test_metric")
    ]
    tested = bool(values) and all(math.isfinite(value) for value in values)
    return "test_metric" if tested else "final_val_metric"


def by_seed(runs: Runs, entry: Entry, column: str) -> dict[float, float]:
    """Return a metric of the completed runs of an optimizer by their seed."""
    done = completed(runs, entry.chosen)
    values = numbers(runs, done, column)
    pairs = zip((seed_of(runs, row) for row in done), values, strict=True)
    return {s: v for s, v in pairs if math.isfinite(s) and math.isfinite(v)}


def ranked(runs: Runs, workload: Workload, entries: Sequence[Entry]) -> list[Entry]:
    """Return the optimizers, best mean first, those without a completed run last."""
    column = verdict_column(runs, entries)

    def place(entry: Entry) -> tuple[bool, float, str]:
        mean = describe(numbers(runs, completed(runs, entry.chosen), column)).mean
        if math.isnan(mean):
            return True, 0.0, entry.optimizer
        return False, -mean if workload.maximise else mean, entry.optimizer

    return sorted(entries, key=place)


def pair_rows(runs: Runs, workload: Workload, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return the rows of ``pairwise.csv`` of a workload: every pair, in the order given.

    Runs are paired by seed. A verdict needs p_adjusted (Holm, over all pairs) below 0.05.
    """
    column = verdict_column(runs, entries)
    samples = [by_seed(runs, entry, column) for entry in entries]
    rows: list[dict[str, Any]] = []
    for i, first in enumerate(entries):
        for j in range(i + 1, len(entries)):
            seeds = sorted(set(samples[i]) & set(samples[j]))
            test = paired_t([samples[i][s] for s in seeds], [samples[j][s] for s in seeds])
            rows.append(
                {
                    "dataset": workload.dataset,
                    "model": workload.model,
                    "first": first.optimizer,
                    "second": entries[j].optimizer,
                    "metric": column,
                    "n_pairs": test.n,
                    "mean_difference": test.mean,
                    "ci_low": test.ci_low,
                    "ci_high": test.ci_high,
                    "p_value": test.p,
                    "note": test.note,
                }
            )
    for row, adjusted in zip(rows, holm([row["p_value"] for row in rows]), strict=True):
        row["p_adjusted"] = adjusted
        row["verdict"] = UNDECIDED
        if adjusted < ALPHA:
            ahead = workload.better(row["mean_difference"], 0.0)
            row["verdict"] = FIRST_BETTER if ahead else SECOND_BETTER
    return rows


def frame(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """Return rows as a table with exactly ``columns``; counts stay integers beside gaps."""
    cells = [[_empty(row.get(column)) for column in columns] for row in rows]
    return pd.DataFrame(cells, columns=pd.Index(columns), dtype=object)


def _empty(cell: Any) -> Any:
    return None if isinstance(cell, float) and math.isnan(cell) else cell
