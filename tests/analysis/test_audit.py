"""The audit as a whole: every check is there, silent passes are not, odd files do no harm."""

from typing import Any

import pytest
from audit_study import Study, defaults, sweep

from sgdlab.analysis.audit import (
    AUDIT_COLUMNS,
    CHECKS,
    Case,
    Check,
    DeclaredPlan,
    audit,
    audit_rows,
)
from sgdlab.analysis.audit.check import failed, overall, passed, some, span, warned

NEEDS_TUNING = {
    "equal tuning budget", "independent searches", "winner is the best trial",
    "fresh seeds after tuning", "best learning rate inside its range", "enough trials",
    "other settings inside their ranges", "equal search spaces", "successive halving",
    "compared as tuned",
}  # fmt: skip


def test_a_fair_study_passes_every_check_and_shows_why() -> None:
    found = Study().audit()
    assert list(found) == list(CHECKS)
    assert {name: found[name] for name in found if found[name][0] != "pass"} == {}
    assert found["equal tuning budget"][1] == (
        "4 trials for each of 2 optimizers in each of 3 searches"
    )
    assert found["paired seeds"][1] == (
        "6 seeds (1–2, 4–5, 7–8) for each of 2 optimizers; losses at initialisation agree for 6"
    )
    assert found["gap above noise"][1] == "1 of 1 pair decided: adamw better than sgd"
    assert found["enough units"][1] == "adamw 3 replicates, sgd 3 replicates"
    assert found["equal units"][1] == "3 replicates of 2 runs for each of 2 optimizers"
    assert all(detail for _, detail in found.values())


def test_the_track_of_defaults_says_that_nothing_was_tuned() -> None:
    found = defaults().audit()
    for name in NEEDS_TUNING:
        status, detail = found[name]
        assert status == "pass", name
        assert detail.startswith("does not apply: published settings"), name
    assert found["no missing or failed runs"] == ("pass", "all 6 planned runs compared completed")


def test_single_settings_of_a_sweep_are_no_fair_comparison() -> None:
    found = sweep().audit()
    assert found["equal tuning budget"][0] == "warn"
    assert found["equal tuning budget"][1].startswith("not known: no tuning trials")
    assert found["independent searches"] == (
        "warn",
        "no tuning trials, these are runs of a sweep or single runs: the numbers hold for these "
        "settings only",
    )
    assert found["no missing or failed runs"] == (
        "warn",
        "not known: no study.yaml says which runs were planned; all 6 runs compared completed",
    )
    status, detail = found["best learning rate inside its range"]
    assert status == "warn"
    assert "only one was tried" in detail


def test_no_contender_is_not_known() -> None:
    study = Study(0)
    checks = audit(Case(study.runs, study.workload, [], [], "test_metric", DeclaredPlan(None)))
    assert [check.check for check in checks] == list(CHECKS)
    assert {check.status for check in checks} == {"warn"}
    assert all(check.detail.startswith("not known: ") for check in checks)


def test_a_contender_without_a_run_is_no_pass() -> None:
    study = Study(0)
    study.plan = None
    study.pairs = []
    found = study.audit()
    assert found["enough units"][0] == "fail"
    told = {"paired seeds", "schedules at their end", "same data", "same code", "same device"}
    assert {found[name][0] for name in told} == {"warn"}
    assert all(found[name][1].startswith("not known: ") for name in told)


@pytest.mark.parametrize(
    "plan",
    [
        {},
        {"search": None, "budget": [], "final_seeds": 3, "contenders": "adamw", "select_by": 4},
        {"search": {"spaces": {"adamw": None, "sgd": {"lr": 0.1}}, "halving": None}},
        {"search": {"spaces": {"sgd": {"lr": {"low": "a", "high": None}}}}, "final_seeds": [None]},
        {"search": {"spaces": {"sgd": {"lr": {"low": 0.1}}, "adamw": {"lr": {"high": 1.0}}}}},
        {"budget": {"unit": "trials", "trials_of": {"digits/mlp": 3}, "per_search": "many"}},
    ],
)
def test_edited_plans_do_no_harm(plan: dict[str, Any]) -> None:
    study = Study()
    study.plan = plan
    found = study.audit()
    assert list(found) == list(CHECKS)
    assert found["winner is the best trial"] == (
        "warn",
        "not known: no study.yaml says by what winners were chosen",
    )
    assert found["no missing or failed runs"][0] == "warn"


def test_what_files_do_not_tell_is_never_a_pass() -> None:
    study = Study()
    study.plan = None
    study.configs = [{} for _ in study.rows]
    study.change(range(len(study.rows)), trial=None)
    study.change(study.find(phase="tune"), status="failed")
    found = study.audit()
    told = {
        "equal search spaces": "what was searched for adamw, sgd",
        "enough trials": "what fewer trials of adamw would find: it has one or none",
        "length of warm-up": "no completed run tells its schedule",
        "schedules at their end": "how long 12 of 12 completed runs had to train",
        "same horizon": "how long runs of adamw had to train",
        "same conditions": "the settings of adamw, sgd",
        "compared as tuned": "with what settings the winner of adamw in replicate 0 was tuned",
        "other settings inside their ranges": "no study.yaml says what else was searched",
    }
    for name, detail in told.items():
        assert found[name][0] == "warn", name
        assert found[name][1].startswith(f"not known: {detail}"), name
    assert sweep().audit()["enough trials"][0] == "warn"
    assert sweep().audit()["equal search spaces"][0] == "warn"


def test_a_winner_that_no_file_names_is_not_known() -> None:
    study = Study()
    study.change(study.find(phase="final"), trial=None)
    status, detail = study.audit()["winner is the best trial"]
    assert status == "warn"
    assert detail.startswith("not known: which trial of adamw in replicate 0 won")
    study.change(study.find(phase="tune"), seed=None)
    assert study.audit()["fresh seeds after tuning"] == (
        "warn",
        "not known: there are no seeds of tuning trials and of final runs to compare",
    )


def test_older_plans_are_read() -> None:
    """Before replicates: budget per optimizer, one tuning seed, a flat list of final seeds."""
    study = Study(1)
    study.plan = {
        "optimizers": ["adamw", "sgd"],
        "budget": {"unit": "trials", "per_optimizer": 4},
        "select_by": "final_val_loss",
        "search": {"spaces": {name: {"lr": {"choices": [0.01, 1.0]}} for name in study.names}},
        "tuning_seed": 0,
        "final_seeds": [1, 2],
    }  # fmt: skip
    for row in study.rows:
        row |= {"contender": row["optimizer"], "replicate": None}
    study.change(study.find(replicate=None), replicate=-1)
    found = study.audit()
    assert found["equal tuning budget"] == ("pass", "4 trials for each of 2 optimizers")
    assert found["no missing or failed runs"][0] == "fail"  # replicate −1 is not 0
    study.change(range(len(study.rows)), replicate=0)
    found = study.audit()
    assert found["no missing or failed runs"] == ("pass", "all 4 planned runs compared completed")
    assert found["best learning rate inside its range"][0] == "pass"
    study.plan["budget"]["per_optimizer"] = 8
    assert study.audit()["equal tuning budget"] == (
        "fail",
        "4 trials for each of 2 optimizers, but study.yaml says adamw 8, sgd 8",
    )


def test_details_stay_short_for_twenty_contenders() -> None:
    study = Study(2, [f"optimizer{n}" for n in range(20)])
    study.change(study.find(phase="tune", trial=0), status="diverged")
    study.change(study.find(phase="tune", trial=1), status="diverged")
    found = study.audit()
    assert found["few diverged trials"][0] == "warn"
    assert (
        "optimizer5 4 of 8 (50 %) trials diverged; and 14 more" in found["few diverged trials"][1]
    )
    assert max(len(detail) for _, detail in found.values()) < 1000


def test_lists_name_six_and_count_the_rest() -> None:
    names = [f"o{number}" for number in range(8)]
    assert some(names[:6]) == "o0, o1, o2, o3, o4, o5"
    assert some(names) == "o0, o1, o2, o3, o4, o5, and 2 more"
    assert span([5, 1, 2, 3, 3]) == "1–3, 5"
    assert span(range(0, 16, 2)) == "0, 2, 4, 6, 8, 10, and 2 more"


def test_the_worst_status_counts_and_passes_are_left_out() -> None:
    told = [passed("a"), warned("b"), failed("c"), warned("d")]
    assert overall(told) == ("fail", "c; b; d")
    assert overall(told[:2]) == ("warn", "b")
    assert overall([passed("a"), passed("b")]) == ("pass", "a; b")


def test_rows_of_the_table() -> None:
    assert audit_rows([Check("a", "warn", "b", "digits/mlp")]) == [
        {"check": "a", "status": "warn", "detail": "b", "workload": "digits/mlp"}
    ]
    assert AUDIT_COLUMNS == ("check", "status", "detail", "workload")
