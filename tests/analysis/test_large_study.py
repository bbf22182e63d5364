"""A study of 500 hand-made run folders against SciPy, statsmodels and pandas on its raw numbers."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from simulated_oracles import LAST_STEP, km_median, seen, units
from simulated_study import PACE, QUALITY, REPEATS, REPLICATES, TARGET, TRIALS, Raw

from answer_text import verdicts
from sgdlab.analysis import Analysis
from sgdlab.report.verdict import answers

ALIVE = ["adam", "twin", "sgd", "worse"]


@pytest.fixture(scope="module")
def found(simulated_analysis: Analysis) -> dict[str, dict]:
    tuned = simulated_analysis.comparison[simulated_analysis.comparison["track"] == "tuned"]
    return {row["optimizer"]: row for row in tuned.to_dict("records")}


@pytest.mark.parametrize("name", ALIVE)
@pytest.mark.parametrize(
    ("prefix", "column"), [("test_metric", "test"), ("val_metric", "final_val_metric")]
)
def test_descriptions(
    found: dict, simulated_table: pd.DataFrame, name: str, prefix: str, column: str
) -> None:
    values = units(simulated_table, name, column).to_numpy()
    expected = {
        "mean": values.mean(), "median": np.median(values), "sd": values.std(ddof=1),
        "best": values.max(), "worst": values.min(),
    }  # fmt: skip
    expected["ci_low"], expected["ci_high"] = stats.t.interval(
        0.95, len(values) - 1, loc=values.mean(), scale=stats.sem(values)
    )
    bca = stats.bootstrap(
        (values,), np.mean, method="BCa", n_resamples=9999, random_state=np.random.default_rng(0)
    ).confidence_interval
    expected["bca_low"], expected["bca_high"] = bca
    row = found[name]
    own = {part: row[f"{prefix}_{part}"] for part in expected}
    # SciPy's BCa takes means that are equal up to rounding for different ones.
    assert own == pytest.approx(expected, rel=1e-5)
    del own["bca_low"], own["bca_high"], expected["bca_low"], expected["bca_high"]
    assert own == pytest.approx(expected, rel=1e-12)
    assert (row["unit"], row["units"]) == ("replicate", len(values))


def test_counts_are_of_runs_and_missing_replicates_are_said(
    simulated_analysis: Analysis, found: dict, simulated_table: pd.DataFrame
) -> None:
    for name in QUALITY:
        final = simulated_table[
            (simulated_table.contender == name) & (simulated_table.phase == "final")
        ].status.value_counts()
        trials = simulated_table[
            (simulated_table.contender == name) & (simulated_table.phase == "tune")
        ].status.value_counts()
        row = found[name]
        assert row["n"] == final.sum()
        assert row["tuning_trials"] == REPLICATES * TRIALS
        for status in ("completed", "diverged", "failed"):
            assert row[status] == final.get(status, 0)
        for status in ("diverged", "failed"):
            assert row[f"tuning_{status}"] == trials.get(status, 0)
    assert [found[name]["units"] for name in QUALITY] == [10, 10, 9, 8, 0]
    worse = next(e for e in simulated_analysis.results[0].entries if e.optimizer == "worse")
    assert [number for number, rows in worse.units.items() if not rows] == [2, 7]
    facts = " ".join(answers(simulated_analysis)[0].details)
    assert "worse: replicates 2 and 7 of 10 found no setting to run again" in facts
    assert "sgd: 2 diverged of 20 runs" in facts


@pytest.mark.parametrize("name", ALIVE)
def test_medians_to_target_are_those_of_kaplan_and_meier(
    found: dict, simulated: list[Raw], name: str
) -> None:
    times, reached = seen(simulated, name)
    median, row = km_median(times, reached), found[name]
    if name == "worse":
        assert math.isnan(median)
        assert row["median_steps_to_target"] is None
        return
    assert row["median_steps_to_target"] == pytest.approx(median)
    assert row["median_examples_to_target"] == pytest.approx(64 * median)
    assert row["median_seconds_to_target"] == pytest.approx(PACE[name] * median)
    assert row["target"] == TARGET


def test_what_a_search_cost(found: dict, simulated: list[Raw]) -> None:
    for name in QUALITY:
        trials = [r for r in simulated if r.contender == name and r.phase == "tune"]
        steps = sum(10 * (len(r.curve) - 1) for r in trials) / REPLICATES
        assert found[name]["tuning_steps"] == pytest.approx(steps)
        assert found[name]["tuning_seconds"] == pytest.approx(steps * PACE[name])
        assert found[name]["timing_runs"] == (REPEATS if name != "dead" else None)


def test_settings_are_ranges_over_searches(
    simulated_analysis: Analysis, found: dict, simulated: list[Raw]
) -> None:
    lrs = [
        next(r.lr for r in simulated if (r.contender, r.phase, r.replicate) == ("adam", "final", n))
        for n in range(REPLICATES)
    ]
    middle, low, high = (f"{v:.4g}" for v in (np.median(lrs), min(lrs), max(lrs)))
    text = f"lr={middle} ({low}–{high} over 10 searches) momentum=0.9"
    assert found["adam"]["setting"] == text
    adam = next(e for e in simulated_analysis.results[0].entries if e.optimizer == "adam")
    assert [adam.settings_of[n]["lr"] for n in range(REPLICATES)] == lrs
    assert found["adam"]["settings_tried"] == REPLICATES * TRIALS


def test_the_defaults_are_a_track_of_their_own(
    simulated_analysis: Analysis, simulated: list[Raw]
) -> None:
    assert [result.track for result in simulated_analysis.results] == ["tuned", "defaults"]
    rows = simulated_analysis.comparison[
        simulated_analysis.comparison["track"] == "defaults"
    ].to_dict("records")
    assert {row["optimizer"] for row in rows} == set(QUALITY)
    for row in rows:
        mine = [
            r.test for r in simulated if (r.contender, r.phase) == (row["optimizer"], "defaults")
        ]
        assert (row["n"], row["unit"], row["units"]) == (REPLICATES, "seed", REPLICATES)
        assert row["test_metric_mean"] == pytest.approx(np.mean(mine))
        assert row["tuning_trials"] is None
        assert row["target"] == TARGET
    seeds = sorted(r.seed for r in simulated if (r.contender, r.phase) == ("sgd", "defaults"))
    sgd = next(e for e in simulated_analysis.results[1].entries if e.optimizer == "sgd")
    assert list(sgd.units) == seeds
    assert verdicts(simulated_analysis)[1].startswith("On digits/mlp with default settings, ")
    assert "This is about default settings" in verdicts(simulated_analysis)[1]
    pairs = simulated_analysis.pairwise[simulated_analysis.pairwise["track"] == "defaults"]
    assert list(pairs["metric"].unique()) == ["test_metric", "final_val_metric", "steps_to_target"]


def test_the_audit_counts_what_was_lost(
    simulated_analysis: Analysis, simulated_table: pd.DataFrame
) -> None:
    audit = simulated_analysis.audit[
        simulated_analysis.audit["workload"] == "digits/mlp"
    ].set_index("check")
    assert set(audit["status"]) <= {"pass", "warn", "fail"}
    trials = simulated_table[simulated_table.phase == "tune"]
    lost = trials[trials.status == "diverged"].contender.value_counts()
    failed = trials[trials.status == "failed"].contender.value_counts()
    ended = trials[trials.status != "failed"].contender.value_counts()
    share = 100 * lost["dead"] / ended["dead"]
    assert audit["status"]["few diverged trials"] == "fail"
    expected = f"dead {lost['dead']} of {ended['dead']} ({share:.0f} %) trials diverged"
    assert expected in audit["detail"]["few diverged trials"]
    assert audit["status"]["no missing or failed runs"] == "fail"
    for name in ("twin", "adam", "sgd"):
        expected = f"{name}: {failed[name]} failed of {REPLICATES * TRIALS} trials"
        assert expected in audit["detail"]["no missing or failed runs"]
    assert audit["status"]["fresh seeds after tuning"] == "pass"
    assert audit["status"]["test set kept out of selection"] == "pass"
    assert "none of 350 trials" in audit["detail"]["test set kept out of selection"]
    beside = simulated_analysis.audit[
        simulated_analysis.audit["workload"] == "digits/mlp (defaults)"
    ]
    assert list(beside["check"]) == list(audit.index)


def test_budget_and_sensitivity_tell_every_trial(
    simulated_analysis: Analysis, simulated_table: pd.DataFrame
) -> None:
    trials = simulated_table[simulated_table.phase == "tune"]
    points = simulated_analysis.sensitivity
    assert sorted(points["lr"]) == sorted(trials.lr)
    assert (points["value"].notna()).sum() == (trials.status == "completed").sum()
    curves = simulated_analysis.budget
    one = curves[curves["k"] == 1].set_index("optimizer")
    for name in QUALITY:
        mine = trials[trials.contender == name]
        if len(mine[mine.status == "completed"]) == len(mine[mine.status != "failed"]):
            mean = mine.groupby("replicate").final_val_metric.mean().mean()
            assert one["best"][name] == pytest.approx(mean)
        assert one["seconds"][name] == pytest.approx(PACE[name] * LAST_STEP)
