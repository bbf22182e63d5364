"""The classical table of SGD against Adam, from the user's own measurements."""

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.sensitivity import sensitivity
from sgdlab.analysis.solo_timing import SoloTiming, seconds_of
from sgdlab.analysis.targets import completed, numbers, validation
from sgdlab.analysis.workloads import WorkloadRuns
from sgdlab.checks import is_number

EARLY = 0.1
"""Share of the steps of a run after which it is said to be early."""

CLASSICAL_COLUMNS = (
    "optimizer", "runs", "early_steps", "early_val_metric", "steps_to_target", "seconds_per_step",
    "final_test_metric", "final_train_loss", "test_loss", "generalisation_gap", "lr_decades",
    "lr_low", "lr_high", "lr_open", "state_bytes", "state_ratio",
)  # fmt: skip
"""What textbooks say of SGD and Adam: early speed, generalisation, sensitivity to the learning
rate, memory. A table of the report, a row per contender.

Columns:
    runs: Its completed runs.
    early_steps (steps): The median step of the first evaluation after a tenth of the steps.
    early_val_metric: The median validation metric there.
    steps_to_target (steps): ``median_steps_to_target`` of ``comparison.csv``.
    seconds_per_step (s): The median, of runs alone.
    final_test_metric, final_train_loss, test_loss: Means at the end.
    generalisation_gap: The mean of test loss − training loss.
    lr_decades, lr_low, lr_high: The basin of ``sensitivity.csv``: its width, and its ends.
    lr_open: Whether it reaches an end of the rates tried, so that it may be wider.
    state_bytes (bytes): The optimizer's state.
    state_ratio: ``state_bytes`` by the bytes of the parameters: about 0 for SGD, 1 with momentum,
        2 for Adam.
"""

_BYTES = {"float64": 8, "double": 8, "float32": 4, "float": 4, "float16": 2, "bfloat16": 2}


def classical(
    runs: Runs,
    alone: dict[int, SoloTiming],
    workload: WorkloadRuns,
    entries: Sequence[Entry],
    rows: Sequence[Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Return a row of `CLASSICAL_COLUMNS` per contender, of its completed runs.

    What was not measured is NaN: the test split where it was not evaluated, time where a run was
    stacked and none was timed alone.
    ``rows`` are those of ``comparison.csv``.
    """
    targets = {row["optimizer"]: row.get("median_steps_to_target") for row in rows}
    found: list[dict[str, Any]] = []
    for entry in entries:
        done = completed(runs, entry.chosen)
        to_target = targets.get(entry.optimizer)
        row: dict[str, Any] = {
            "optimizer": entry.optimizer,
            "runs": len(done),
            **_early(runs, workload, done),
            "steps_to_target": float(to_target) if is_number(to_target) else math.nan,
            "seconds_per_step": _median(_paces(runs, alone, done)),
            **_final(runs, done),
            **_sensitivity(runs, workload, entry),
            **_memory(runs, done),
        }
        found.append(row)
    return found


def _early(runs: Runs, workload: WorkloadRuns, done: Sequence[int]) -> dict[str, float]:
    steps: list[float] = []
    values: list[float] = []
    for row in done:
        table, last = validation(runs, row, workload.metric), runs.rows[row]["steps"]
        if table is None or not is_number(last):
            continue
        later = table["step"] >= max(1.0, EARLY * last)
        if later.any():
            place = int(later.argmax())
            steps.append(float(table["step"][place]))
            values.append(float(table[workload.metric][place]))
    return {"early_steps": _median(steps), "early_val_metric": _median(values)}


def _paces(runs: Runs, alone: dict[int, SoloTiming], done: Sequence[int]) -> list[float]:
    steps = [runs.rows[row]["steps"] for row in done]
    timed = zip(done, steps, strict=True)
    return [seconds_of(runs, alone, row) / n for row, n in timed if is_number(n) and n > 0]


def _final(runs: Runs, done: Sequence[int]) -> dict[str, float]:
    train, test = (numbers(runs, done, column) for column in ("final_train_loss", "test_loss"))
    return {
        "final_test_metric": _mean(numbers(runs, done, "test_metric")),
        "final_train_loss": _mean(train),
        "test_loss": _mean(test),
        "generalisation_gap": _mean([b - a for a, b in zip(train, test, strict=True)]),
    }


def _sensitivity(runs: Runs, workload: WorkloadRuns, entry: Entry) -> dict[str, Any]:
    found = sensitivity(runs, workload, [entry], "final_val_metric")[0]
    basin = found.basin
    # One rate alone has no width.
    if basin is None or len({rate for rate, _, _ in found.points}) < 2:
        return {**dict.fromkeys(("lr_decades", "lr_low", "lr_high"), math.nan), "lr_open": None}
    return {
        "lr_decades": basin.decades,
        "lr_low": basin.low,
        "lr_high": basin.high,
        "lr_open": basin.open_low or basin.open_high,
    }


def _memory(runs: Runs, done: Sequence[int]) -> dict[str, float]:
    sizes = [size for size in numbers(runs, done, "optimizer_state_bytes") if not math.isnan(size)]
    ratios = [
        float(size) / (count * _BYTES.get(str(runs.configs[row].get("dtype", "float32")), math.nan))
        for row in done
        if is_number(size := runs.rows[row]["optimizer_state_bytes"])
        and is_number(count := runs.rows[row]["num_parameters"])
        and count > 0
    ]
    return {
        "state_bytes": max(sizes, default=math.nan),
        "state_ratio": max(ratios, default=math.nan),
    }


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return median(known) if known else math.nan


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan
