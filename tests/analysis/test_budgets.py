"""Budget curves against a count of all subsets."""

import itertools
import math
from statistics import mean

import pytest
from audit_study import METRICS, Study, defaults

from sgdlab.analysis.budgets import (
    BUDGET_COLUMNS,
    BudgetCurve,
    _budgets_up_to,
    budget_rows,
    budgets,
)
from sgdlab.analysis.solo_timing import SoloTiming, with_times


def curves(study: Study, alone: dict[int, SoloTiming] | None = None) -> dict[str, BudgetCurve]:
    found = budgets(study.runs, alone or {}, study.workload, study.entries)
    return {curve.optimizer: curve for curve in found}


def by_counting(values: list[float], k: int) -> float:
    return mean(max(subset) for subset in itertools.combinations(values, k))


def samples(study: Study, name: str) -> list[list[float]]:
    return [
        [
            study.rows[row]["final_val_metric"]
            for row in study.find(contender=name, phase="tune", replicate=r)
        ]
        for r in range(3)
    ]


def test_curves_are_the_mean_over_searches_of_the_best_of_all_subsets() -> None:
    study = Study()
    rows = study.find(contender="sgd", phase="tune", replicate=1)
    study.change(rows, final_val_metric=0.5)
    study.change(rows[:1], final_val_metric=0.9)
    curve = curves(study)["sgd"]
    assert curve.k == [1, 2, 3, 4]
    for k in curve.k:
        each = [by_counting(values, k) for values in samples(study, "sgd")]
        assert curve.best[k - 1] == pytest.approx(mean(each))
        assert curve.low[k - 1] == pytest.approx(min(each))
        assert curve.high[k - 1] == pytest.approx(max(each))
    assert curve.low[3] == pytest.approx(0.9)
    assert curve.best[0] < curve.best[3]


def test_of_errors_the_smallest_is_best() -> None:
    study = Study(1)
    study.metric = "rmse"
    curve = curves(study)["adamw"]
    assert curve.best[0] == pytest.approx(mean(METRICS))
    assert curve.best[3] == pytest.approx(min(METRICS))


def test_a_diverged_trial_is_worse_than_any() -> None:
    """With 2 of 4 diverged, a budget of 1 or 2 may find nothing; of 3 it finds one at least."""
    study = Study(1)
    for trial in (0, 2):
        study.change(study.find(phase="tune", trial=trial), status="diverged")
    curve = curves(study)["adamw"]
    assert all(math.isnan(part[k]) for part in (curve.best, curve.low, curve.high) for k in (0, 1))
    good, better = METRICS[1], METRICS[3]
    # Of the 4 subsets of 3, two lack the better one of the two that completed or the other.
    assert curve.best[2] == pytest.approx((3 * better + good) / 4)
    assert curve.best[3] == pytest.approx(better)


def test_one_search_that_may_find_nothing_leaves_the_mean_unknown() -> None:
    study = Study()
    study.change(study.find(contender="adamw", phase="tune", replicate=1)[:1], status="diverged")
    curve = curves(study)["adamw"]
    assert math.isnan(curve.best[0])
    assert math.isfinite(curve.best[1])


def test_searches_of_unequal_size_count_up_to_the_smallest() -> None:
    study = Study()
    study.change(study.find(contender="adamw", phase="tune", replicate=1)[:1], status="failed")
    found = curves(study)
    assert (found["adamw"].k, found["sgd"].k) == ([1, 2, 3], [1, 2, 3, 4])


def test_halving_and_no_tuning_leave_no_curve() -> None:
    study = Study()
    study.change(study.find(contender="adamw", phase="tune")[:1], status="stopped")
    assert list(curves(study)) == ["sgd"]
    assert curves(defaults()) == {}
    study.change(study.find(contender="sgd", phase="tune"), status="failed")
    assert curves(study) == {}


def test_seconds_are_those_of_a_mean_trial() -> None:
    study = Study()
    study.change(study.find(contender="adamw", phase="tune", trial=0), train_seconds=6.0)
    assert curves(study)["adamw"].seconds == [3.0, 6.0, 9.0, 12.0]  # of (6 + 2 + 2 + 2) / 4
    study.change(study.find(contender="adamw", phase="tune")[:1], train_seconds=None)
    assert all(math.isnan(seconds) for seconds in curves(study)["adamw"].seconds)


def test_seconds_of_stacked_trials_are_those_of_runs_alone() -> None:
    study = Study()
    study.change(study.find(phase="tune"), engine="stacked", train_seconds=None)
    study.add("sgd", "timing", 1, 0.1, steps=10, train_seconds=0.05)
    found = curves(study, with_times(study.runs)[1])
    assert found["sgd"].seconds == pytest.approx([1.7, 3.4, 5.1, 6.8])  # of 340 steps of 5 ms
    assert all(math.isnan(seconds) for seconds in found["adamw"].seconds)


def test_rows_of_the_table() -> None:
    study = Study()
    found = budgets(study.runs, {}, study.workload, study.entries)
    rows = budget_rows(study.workload, found)
    assert len(rows) == 8
    assert set(rows[0]) == set(BUDGET_COLUMNS)
    assert [row["k"] for row in rows] == [1, 2, 3, 4] * 2
    assert (rows[5]["optimizer"], rows[5]["seconds"]) == ("sgd", 4.0)
    assert (rows[5]["dataset"], rows[5]["model"], rows[5]["metric"]) == (
        "digits",
        "mlp",
        "final_val_metric",
    )
    assert rows[5]["low"] <= rows[5]["best"] <= rows[5]["high"]


def test_many_trials_have_budgets_ever_further_apart() -> None:
    assert _budgets_up_to(5) == [1, 2, 3, 4, 5]
    found = _budgets_up_to(1000)
    assert (found[0], found[-1]) == (1, 1000)
    assert 40 <= len(found) <= 65
    gaps = [b - a for a, b in itertools.pairwise(found)]
    assert gaps[0] == 1
    assert sorted(gaps)[-2:] == sorted(gaps[-3:])[-2:]
    assert max(gaps) > 50
