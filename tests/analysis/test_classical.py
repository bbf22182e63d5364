"""The classical table, by hand."""

import math
from typing import Any

import numpy as np
import pytest
from audit_study import Study, defaults

from sgdlab.analysis.classical import CLASSICAL_COLUMNS, classical
from sgdlab.analysis.solo_timing import with_times


def table(study: Study, rows: list[dict[str, Any]] | None = None) -> dict[str, dict[str, Any]]:
    runs, alone = with_times(study.runs)
    given = rows or [{"optimizer": name} for name in study.names]
    found = classical(runs, alone, study.workload, study.entries, given)
    assert all(tuple(row) == CLASSICAL_COLUMNS for row in found)
    return {row["optimizer"]: row for row in found}


def finals(study: Study, name: str = "sgd") -> list[int]:
    return study.find(contender=name, phase="final")


def test_early_speed_is_the_first_evaluation_after_a_tenth() -> None:
    """Of 340 steps a tenth is 34: the evaluation at 33 is too early, that at 34 counts."""
    study = Study()
    for number, row in enumerate(finals(study)):
        study.evals[row]["step"] = np.array([0, 33, 34])
        study.evals[row]["accuracy"] = np.array([0.1, 0.2, 0.5 + 0.01 * number])
    found = table(study, [{"optimizer": "sgd", "median_steps_to_target": 170.0}])
    assert found["sgd"]["early_steps"] == 34
    assert found["sgd"]["early_val_metric"] == pytest.approx(0.525)  # median of 0.50 … 0.55
    assert found["sgd"]["steps_to_target"] == 170
    assert found["adamw"]["early_steps"] == 170
    assert found["adamw"]["early_val_metric"] == 0.8
    assert math.isnan(found["adamw"]["steps_to_target"])


def test_final_generalisation_is_of_completed_runs() -> None:
    study = Study()
    for number, row in enumerate(finals(study)):
        study.change([row], final_train_loss=0.1 * number, test_loss=0.5, test_metric=0.9)
    study.change(finals(study)[-1:], status="diverged", test_loss=9.0, test_metric=0.0)
    row = table(study)["sgd"]
    assert row["runs"] == 5
    assert row["final_test_metric"] == pytest.approx(0.9)
    assert row["final_train_loss"] == pytest.approx(0.2)
    assert row["test_loss"] == pytest.approx(0.5)
    assert row["generalisation_gap"] == pytest.approx(0.3)


def test_memory_is_by_the_bytes_of_the_parameters() -> None:
    study = Study()
    study.change(finals(study), optimizer_state_bytes=4000)
    study.configure(finals(study, "adamw"), {"dtype": "float64"})
    found = table(study)
    assert (found["sgd"]["state_bytes"], found["sgd"]["state_ratio"]) == (4000, 1.0)
    assert (found["adamw"]["state_bytes"], found["adamw"]["state_ratio"]) == (8000, 1.0)
    study.change(finals(study), optimizer_state_bytes=0)
    assert table(study)["sgd"]["state_ratio"] == 0.0


def test_time_is_own_or_of_runs_alone() -> None:
    study = Study()
    assert table(study)["sgd"]["seconds_per_step"] == pytest.approx(2 / 340)
    study.change(finals(study), engine="stacked", train_seconds=None)
    assert math.isnan(table(study)["sgd"]["seconds_per_step"])
    study.add("sgd", "timing", 1, 0.1, steps=10, train_seconds=0.05)
    assert table(study)["sgd"]["seconds_per_step"] == pytest.approx(0.005)


def test_sensitivity_is_the_width_of_the_basin() -> None:
    study = Study(1)
    study.change(study.find(phase="tune", trial=0), final_val_metric=0.9)
    row = table(study)["adamw"]
    assert row["lr_decades"] == pytest.approx(1.0)
    assert (row["lr_low"], row["lr_high"], row["lr_open"]) == (0.03, 0.3, True)
    study.change(study.find(phase="tune", trial=3), final_val_metric=0.9)
    row = table(study)["adamw"]
    assert (row["lr_low"], row["lr_high"], row["lr_open"]) == (0.03, 0.1, False)


def test_one_rate_has_no_width() -> None:
    row = table(defaults())["sgd"]
    assert math.isnan(row["lr_decades"])
    assert row["lr_open"] is None


def test_without_a_completed_run_nothing_is_known() -> None:
    study = Study()
    study.change(finals(study), status="diverged")
    study.evals.clear()
    row = table(study)["sgd"]
    assert row["runs"] == 0
    unknown = set(CLASSICAL_COLUMNS) - {"optimizer", "runs"}
    assert {key for key in unknown if key.startswith("lr")} == {
        "lr_decades", "lr_low", "lr_high", "lr_open",
    }  # fmt: skip
    assert all(math.isnan(row[key]) for key in unknown if not key.startswith("lr"))
