"""``comparison.csv``: a row per contender."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.solo_timing import STACKED, SoloTiming, seconds_of
from sgdlab.analysis.splits import overlap_of
from sgdlab.analysis.statistics import NAN, describe
from sgdlab.analysis.targets import Target, completed, numbers
from sgdlab.analysis.times import Times
from sgdlab.analysis.units import unit_values
from sgdlab.analysis.workloads import WorkloadRuns, text
from sgdlab.checks import is_number
from sgdlab.results import COMPLETED, DIVERGED, FAILED, STOPPED, UNFINISHED
from sgdlab.search.halving import saved

_PARTS = ("mean", "sd", "ci_low", "ci_high", "median")
_MORE = ("bca_low", "bca_high", "best", "worst")
_METRICS = {"test_metric": "test_metric", "val_metric": "final_val_metric"}

COMPARISON_COLUMNS = (
    "dataset", "model", "optimizer", "setting", "settings_tried", "n", "completed", "diverged",
    "failed", "unfinished", "metric", "metric_direction",
    *(f"{prefix}_{part}" for prefix in _METRICS for part in _PARTS),
    "target", "reached_target", "median_steps_to_target", "median_seconds_to_target",
    "examples_per_second", "peak_memory_bytes", "optimizer_state_bytes",
    "tuning_trials", "tuning_diverged", "tuning_failed", "tuning_unfinished", "stacked",
    "timing_runs", "timing_steps", "tuning_stopped", "tuning_steps_saved", "track", "unit", "units",
    *(f"{prefix}_{part}" for prefix in _METRICS for part in _MORE),
    "median_examples_to_target", "tuning_steps", "tuning_seconds",
    "held", "by",
)  # fmt: skip
"""``comparison.csv``. ``optimizer`` is the contender, or the value of the
settings that ``by`` names; ``held`` says in which settings the runs differ from those of the other
rows of the same data and model. ``n``, ``completed``, ``diverged``,
``failed``, ``unfinished`` and ``reached_target`` count its runs.

Statistics of a metric are over ``units`` units of the kind ``unit`` (`sgdlab.analysis.units`), the
value of a replicate being the mean over its completed runs: mean, standard deviation, 95 % t and
BCa bootstrap interval of the mean, median, best and worst. Units without a completed run are not
among them.

Medians to target are Kaplan–Meier medians over units (`sgdlab.analysis.times`), and empty where
fewer than half reach it. ``peak_memory_bytes`` and ``optimizer_state_bytes`` are the largest of the
completed runs, ``examples_per_second`` is their median.

Of the ``n`` runs ``stacked`` were trained in a stack, and have no time or memory of their own:
these are taken from ``timing_runs`` short runs alone of ``timing_steps`` steps each, a run's
seconds being its steps times their median seconds per step. Without such runs they are empty.

``tuning_stopped`` trials lost at a rung of successive halving; ``tuning_steps_saved`` is the share
of the tuning's steps that they did not make. ``tuning_trials`` are those of all searches;
``tuning_steps`` and ``tuning_seconds`` what one search cost, the mean over searches of all that its
trials trained, whatever became of them; empty where that of a trial is not known."""


def comparison_row(
    runs: Runs,
    alone: Mapping[int, SoloTiming],
    workload: WorkloadRuns,
    entry: Entry,
    target: Target,
    times: Times | None,
    track: str,
) -> dict[str, object]:
    """Return the row of ``comparison.csv`` of one contender; ``alone`` is by `with_times`."""
    status = [text(runs.rows[row]["status"]) for row in entry.chosen]
    row: dict[str, object] = {
        **workload.columns,
        "optimizer": entry.optimizer,
        "setting": entry.setting,
        "settings_tried": entry.settings_tried,
        "n": len(entry.chosen),
        "metric": workload.metric,
        "metric_direction": "max" if workload.maximise else "min",
        **{name: status.count(name) for name in (COMPLETED, DIVERGED, FAILED, UNFINISHED)},
        "track": track,
        "unit": entry.unit,
    }
    units = 0
    for prefix, column in _METRICS.items():
        values = list(unit_values(runs, entry.units, column).values())
        found = describe(values, workload.bounds, overlap_of(runs, [entry], column))
        ends = found.smallest, found.largest
        best, worst = reversed(ends) if workload.maximise else ends
        row |= {f"{prefix}_{part}": getattr(found, part) for part in (*_PARTS, *_MORE[:2])}
        row |= {f"{prefix}_best": best, f"{prefix}_worst": worst}
        units = max(units, found.n)
    row["units"] = units
    if target.value is not None and times is not None:
        row |= {
            "target": target.value,
            "reached_target": times.reached,
            "median_steps_to_target": times.median("step"),
            "median_examples_to_target": times.median("examples"),
            "median_seconds_to_target": times.median("train_seconds"),
        }
    row |= _cost(runs, alone, entry)
    if entry.tuned:
        row |= _tuning(runs, alone, entry)
    return row


def _cost(runs: Runs, alone: Mapping[int, SoloTiming], entry: Entry) -> dict[str, object]:
    """Return rate and memory of the completed runs, and where those of stacked runs come from."""
    done = completed(runs, entry.chosen)
    columns = ("examples_per_second", "peak_memory_bytes", "optimizer_state_bytes")
    rates, peaks, states = (numbers(runs, done, column) for column in columns)
    size = zip(done, numbers(runs, done, "examples"), numbers(runs, done, "steps"), strict=True)
    for row, examples, steps in size:
        if row in alone:
            rates.append(examples / (steps * alone[row].seconds_per_step) if steps else NAN)
            peaks.append(alone[row].peak_memory_bytes)
    known = [rate for rate in rates if math.isfinite(rate)]
    told = list(dict.fromkeys(alone[row] for row in entry.chosen if row in alone))
    return {
        "examples_per_second": float(np.median(known)) if known else NAN,
        "peak_memory_bytes": _largest(peaks),
        "optimizer_state_bytes": _largest(states),
        "stacked": sum(runs.rows[row]["engine"] == STACKED for row in entry.chosen),
        "timing_runs": len({row for cost in told for row in cost.rows}) or NAN,
        "timing_steps": min((cost.steps for cost in told), default=NAN),
    }


def _largest(values: Sequence[float]) -> float:
    return max((value for value in values if math.isfinite(value)), default=NAN)


def _tuning(runs: Runs, alone: Mapping[int, SoloTiming], entry: Entry) -> dict[str, object]:
    trials = [text(runs.rows[trial]["status"]) for trial in entry.trials]
    row: dict[str, object] = {"tuning_trials": len(trials)}
    row |= {f"tuning_{s}": trials.count(s) for s in (DIVERGED, FAILED, UNFINISHED, STOPPED)}
    if STOPPED in trials:
        halved = saved((runs.rows[trial], runs.configs[trial]) for trial in entry.trials)
        row["tuning_steps_saved"] = halved.share
    if searches := len(entry.trials_of):
        steps = [runs.rows[trial]["steps"] for trial in entry.trials]
        whole = all(is_number(count) for count in steps)
        row["tuning_steps"] = sum(steps) / searches if whole else NAN
        seconds = math.fsum(seconds_of(runs, alone, trial) for trial in entry.trials)
        row["tuning_seconds"] = seconds / searches
    return row
