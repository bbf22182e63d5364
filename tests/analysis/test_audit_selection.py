"""Checks of selection, seeds and the runs compared, each in both directions."""

import numpy as np
import pytest
from audit_study import Study, defaults, sweep


def test_selection_by_a_test_column_fails() -> None:
    study = Study()
    assert study.plan
    study.plan["select_by"] = "test_metric"
    assert study.audit()["test set kept out of selection"] == (
        "fail",
        "winners were chosen by test_metric",
    )


@pytest.mark.parametrize("column", ["test_metric", "test_loss"])
def test_trials_that_saw_the_test_set_fail(column: str) -> None:
    study = Study()
    study.change(study.find(contender="sgd", phase="tune", trial=1), **{column: 0.9})
    assert study.audit()["test set kept out of selection"] == (
        "fail",
        "tuning trials evaluated the test split: 3 of sgd",
    )


def test_trials_without_a_test_are_evidence_even_without_a_plan() -> None:
    study = Study()
    study.plan = None
    assert study.audit()["test set kept out of selection"] == (
        "pass",
        "none of 24 trials evaluated the test split; winners were chosen by a rule that no "
        "study.yaml tells",
    )
    study.remove(study.find(phase="tune"))
    assert study.audit()["test set kept out of selection"][1].startswith("not known: ")


def test_a_sweep_with_one_setting_chose_nothing() -> None:
    found = sweep().audit()
    assert found["test set kept out of selection"] == (
        "pass",
        "does not apply: nothing was chosen among several settings",
    )
    assert found["settings not chosen on reported seeds"] == (
        "pass",
        "one setting of each of 2 optimizers was run",
    )


def test_settings_chosen_on_the_seeds_reported() -> None:
    study = sweep((0.01, 1.0, 0.1))
    name = "settings not chosen on reported seeds"
    assert study.audit()[name] == (
        "warn",
        "settings chosen among several on the seeds that are reported: adamw 3, sgd 3; by "
        "validation loss, while the verdict is by the test split",
    )
    study.column = "final_val_metric"
    status, detail = study.audit()[name]
    assert status == "fail"
    assert detail.endswith("and by the split that gives the verdict")


def test_a_verdict_by_what_chose_the_settings_warns() -> None:
    study = Study()
    name = "verdict by the test set"
    assert study.audit()[name] == (
        "pass",
        "12 completed runs evaluated the test split, once each",
    )
    study.column = "final_val_metric"
    assert study.audit()[name][0] == "warn"
    untuned = sweep()
    untuned.column = "final_val_metric"
    assert untuned.audit()[name] == (
        "pass",
        "the verdict is by final_val_metric, which chose nothing",
    )


def test_a_winner_that_is_not_the_best_trial_fails() -> None:
    study = Study()
    rows = study.find(contender="sgd", phase="tune", replicate=1, trial=3)
    study.change(rows, final_val_loss=0.1999)
    assert study.audit()["winner is the best trial"] == (
        "fail",
        "sgd in replicate 1: trial 2 was run again (final_val_loss 0.2011), but trial 3 is better "
        "(0.1999)",
    )


def test_the_best_is_the_best_of_those_that_completed_and_ties_are_fair() -> None:
    study = Study()
    rows = study.find(contender="sgd", phase="tune", replicate=1, trial=3)
    study.change(rows, final_val_loss=0.1, status="diverged")
    assert study.audit()["winner is the best trial"][0] == "pass"
    tied = study.rows[study.find(contender="sgd", phase="tune", replicate=1, trial=2)[0]]
    study.change(rows, final_val_loss=tied["final_val_loss"], status="completed")
    assert study.audit()["winner is the best trial"] == (
        "pass",
        "each of 6 winners is the best trial of its search by final_val_loss",
    )


def test_the_rule_decides_which_way_is_better() -> None:
    """By the metric trial 2 is best, too; of an error rate it would be trial 0."""
    study = Study()
    assert study.plan
    study.plan["select_by"] = "final_val_metric"
    assert study.audit()["winner is the best trial"][0] == "pass"
    study.metric = "rmse"
    status, detail = study.audit()["winner is the best trial"]
    assert status == "fail"
    assert "trial 0 is better (0.945)" in detail


def test_two_winners_of_one_search_fail() -> None:
    study = Study()
    study.change(study.find(contender="sgd", phase="final", seed=2), trial=3)
    status, detail = study.audit()["winner is the best trial"]
    assert (status, detail) == (
        "fail",
        "final runs of sgd in replicate 0 have the settings of trials 2–3",
    )


def test_a_search_without_a_completed_trial_has_no_winner() -> None:
    study = Study()
    study.change(study.find(contender="sgd", phase="tune", replicate=1), status="diverged")
    for row in study.find(contender="sgd", phase="final", replicate=1):
        study.remove([row])
    found = study.audit()
    # Without runs the replicate is no unit; its trials still tell that there was a search.
    assert found["winner is the best trial"] == (
        "warn",
        "sgd in replicate 1: no trial completed, so there is no winner",
    )
    assert found["no missing or failed runs"] == (
        "fail",
        "sgd: 2 of 6 planned runs not there (seed 4–5)",
    )


def test_seeds_used_twice_fail() -> None:
    study = Study()
    study.change(study.find(contender="sgd", phase="tune", replicate=2), seed=1)
    assert study.audit()["fresh seeds after tuning"] == (
        "fail",
        "trials ran with seed 0–1, 3, 6, final runs with 1–2, 4–5, 7–8: 1 in both (adamw, sgd)",
    )


def test_unpaired_seeds() -> None:
    study = Study()
    rows = study.find(contender="sgd", phase="final", replicate=1)
    study.change(rows[:1], seed=14)
    status, detail = study.audit()["paired seeds"]
    assert status == "warn"
    assert detail == (
        "seeds of the runs compared differ: adamw 1–2, 4–5, 7–8; sgd 1–2, 5, 7–8, 14; only common "
        "ones are paired"
    )
    for row in study.find(contender="sgd", phase="final"):
        study.rows[row]["seed"] += 100
    status, detail = study.audit()["paired seeds"]
    assert status == "fail"
    assert detail.endswith("none is common to all")


def test_equal_seeds_that_start_elsewhere_are_no_pairs() -> None:
    study = Study()
    row = study.find(contender="sgd", phase="final", seed=4)[0]
    study.evals[row]["loss"] = study.evals[row]["loss"] * (1 + 5e-5)
    assert study.audit()["paired seeds"][0] == "pass"
    study.evals[row]["loss"] = study.evals[row]["loss"] + np.array([0.02, 0.0, 0.0])
    status, detail = study.audit()["paired seeds"]
    assert status == "warn"
    assert "runs of seed 4 do not start from the same loss, so not from the same weights" in detail


def test_pairs_without_a_first_evaluation_are_said_to_be_unchecked() -> None:
    study = Study()
    study.evals.clear()
    status, detail = study.audit()["paired seeds"]
    assert status == "pass"
    assert detail.endswith("not compared by loss")


@pytest.mark.parametrize("status", ["failed", "unfinished"])
def test_a_final_run_that_broke_fails(status: str) -> None:
    study = Study()
    study.change(study.find(contender="sgd", phase="final", seed=4), status=status)
    found = study.audit()
    assert found["no missing or failed runs"] == ("fail", f"sgd: 1 {status} of 6")
    assert found["equal units"] == (
        "warn",
        "adamw 3 replicates of 2 runs; sgd 3 replicates of 1 to 2 runs: as many were started, not "
        "all completed",
    )


def test_a_final_run_that_diverged_warns() -> None:
    study = Study()
    study.change(study.find(contender="sgd", phase="final", seed=4), status="diverged")
    assert study.audit()["no missing or failed runs"] == ("warn", "sgd: 1 diverged of 6")


def test_a_run_that_is_not_there_fails() -> None:
    study = Study()
    study.remove(study.find(contender="sgd", phase="final", seed=4))
    found = study.audit()
    assert found["no missing or failed runs"] == (
        "fail",
        "sgd: 1 of 6 planned runs not there (seed 4)",
    )
    assert found["equal units"][0] == "fail"


def test_a_planned_contender_that_is_not_there_fails() -> None:
    study = Study()
    assert study.plan
    study.plan["contenders"] = ["adamw", "lion", "sgd"]
    assert study.audit()["no missing or failed runs"] == (
        "fail",
        "lion: 6 of 6 planned runs not there (seed 1–2, 4–5, 7–8)",
    )


def test_a_run_in_the_wrong_replicate_is_not_the_planned_one() -> None:
    study = Study()
    study.change(study.find(contender="sgd", phase="final", seed=4), replicate=2)
    assert study.audit()["no missing or failed runs"][0] == "fail"


def test_trials_that_broke_are_a_warning() -> None:
    study = Study()
    study.change(study.find(phase="tune", trial=3), status="failed")
    assert study.audit()["no missing or failed runs"] == (
        "warn",
        "adamw: 3 failed of 12 trials; sgd: 3 failed of 12 trials",
    )


@pytest.mark.parametrize(("left", "status"), [(3, "pass"), (2, "warn"), (1, "fail"), (0, "fail")])
def test_number_of_units(left: int, status: str) -> None:
    study = Study()
    for replicate in range(left, 3):
        rows = study.find(contender="sgd", phase="final", replicate=replicate)
        study.change(rows, status="diverged")
    found, detail = study.audit()["enough units"]
    assert found == status
    assert f"sgd {left} replicate{'' if left == 1 else 's'}" in detail
    assert ("nothing can be concluded" in detail) == (status == "fail")


def test_runs_that_repeat_a_result_are_no_observations() -> None:
    study = defaults()
    name = "seeds make a difference"
    assert study.audit()[name][0] == "pass"
    rows = study.find(contender="sgd")
    same = {"final_val_loss": 0.2, "final_val_metric": 0.9, "test_metric": 0.9}
    study.change(rows, **same)
    assert study.audit()[name] == ("warn", "sgd: 3 runs, 1 different results")
    study.change(rows, **dict.fromkeys(same))
    assert study.audit()[name][1].startswith("not known: ")
