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
"""``comparison.csv``: a row per contender. Statistics of a metric are over its units
(`sgdlab.analysis.units`), the value of a replicate being the mean over its completed runs; units
without a completed run are not among them. A stacked run has no time or memory of its own: these
are of short runs alone, a run's seconds being its steps times their median seconds per step, and
empty without such runs.

Columns:
    optimizer: The contender, or the value of the settings that ``by`` names.
    setting, settings_tried: The settings of its runs; how many were tried.
    n: Its runs.
    completed, diverged, failed, unfinished: Of its runs those that ended so.
    test_metric_mean, val_metric_mean: The mean of the metric over units.
    test_metric_sd, val_metric_sd: The standard deviation of the metric over units.
    test_metric_ci_low, test_metric_ci_high, val_metric_ci_low, val_metric_ci_high: The 95 % t
        interval of the mean.
    test_metric_bca_low, test_metric_bca_high, val_metric_bca_low, val_metric_bca_high: The 95 %
        interval of the mean by the BCa bootstrap.
    test_metric_median, val_metric_median: The median over units.
    test_metric_best, test_metric_worst, val_metric_best, val_metric_worst: The best and the worst
        unit.
    target: The value of the validation metric to reach.
    reached_target: Of its runs those that reach the target.
    median_steps_to_target (steps), median_examples_to_target (examples), median_seconds_to_target
        (s): Kaplan–Meier median over units; empty where fewer than half reach the target.
    examples_per_second (1/s): The median of its completed runs.
    peak_memory_bytes, optimizer_state_bytes (bytes): The largest of its completed runs.
    tuning_trials: The trials of all of its searches.
    tuning_diverged, tuning_failed, tuning_unfinished: Of its trials those that ended so.
    tuning_stopped: Of its trials those that lost at a rung of successive halving.
    tuning_steps_saved: The share of the tuning's steps that these did not make.
    tuning_steps (steps): What a search cost, the mean over searches of all that its trials trained,
        whatever became of them; empty where that of a trial is not known.
    tuning_seconds (s): What a search cost, in time.
    stacked: The runs that were trained in a stack.
    timing_runs, timing_steps: The short runs that were timed alone, and the steps of each.
    track: ``tuned``, ``defaults`` or ``one``: which settings its runs have.
    unit, units: What counts as one observation, ``replicate``, ``seed`` or ``run``; how many.
    held: In which settings the runs differ from those of other rows of the same data and model.
    by: The keys that are compared, where it is not the optimizer.
"""


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
