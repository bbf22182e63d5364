"""Checks of the protocol, each in both directions: a study that violates it and one that does not.

That the untouched study passes all of them is in `test_audit`.
"""

import math

import pytest
from audit_study import Study, defaults, sweep

from sgdlab.analysis.audit.plan import DeclaredPlan, range_of
from sgdlab.analysis.budget import expected_best


def edge(study: Study) -> tuple[str, str]:
    return study.audit()["best learning rate inside its range"]


def test_best_rate_on_the_edge_in_one_search_warns() -> None:
    study = Study()
    study.change(study.find(contender="sgd", phase="final", replicate=1), base_lr=0.8)
    assert edge(study) == (
        "warn",
        "best lr of sgd on the edge of 0.001 to 1 in 1 of 3 searches (0.8 at the upper end in "
        "replicate 1)",
    )


def test_best_rate_on_the_edge_in_most_searches_fails() -> None:
    study = Study()
    for replicate in (0, 2):
        rows = study.find(contender="sgd", phase="final", replicate=replicate)
        study.change(rows, base_lr=0.0012)
    status, detail = edge(study)
    assert status == "fail"
    assert "in 2 of 3 searches (0.0012 at the lower end in replicate 0" in detail


@pytest.mark.parametrize(
    ("rate", "status"), [(0.0014, "fail"), (0.0015, "pass"), (0.70, "pass"), (0.72, "fail")]
)
def test_the_edge_is_a_twentieth_of_the_logarithm(rate: float, status: str) -> None:
    """Of 0.001 to 1: 10^(-3 + 0.15) = 0.00141 and 10^(-0.15) = 0.708."""
    study = Study(1)
    study.change(study.find(contender="sgd", phase="final"), base_lr=rate)
    assert edge(study)[0] == status


def test_a_linear_scale_has_its_own_edge() -> None:
    study = Study(1)
    assert study.plan
    study.plan["search"]["spaces"]["sgd"]["lr"] = {"low": 0.001, "high": 1.0, "scale": "linear"}
    study.change(study.find(contender="sgd", phase="final"), base_lr=0.0508)
    assert edge(study)[0] == "fail"
    study.change(study.find(contender="sgd", phase="final"), base_lr=0.0512)
    assert edge(study)[0] == "pass"
    study.change(study.find(contender="sgd", phase="tune"), base_lr=0.7)
    study.plan["search"]["spaces"]["sgd"]["lr"] = {"low": 0.5, "high": 1.0, "scale": "linear"}
    for rate, status in ((0.524, "fail"), (0.526, "pass"), (0.974, "pass"), (0.976, "fail")):
        study.change(study.find(contender="sgd", phase="final"), base_lr=rate)
        assert edge(study)[0] == status


def test_what_a_recentred_search_tried_widens_the_range() -> None:
    study = Study(1)
    study.change(study.find(contender="sgd", phase="final"), base_lr=0.9)
    assert edge(study)[0] == "fail"
    study.change(study.find(contender="sgd", phase="tune", trial=3), base_lr=5.0)
    status, detail = edge(study)
    assert status == "pass"
    assert "best lr of sgd 0.9, inside 0.001 to 5" in detail


def test_a_sweep_is_judged_by_the_rates_it_tried() -> None:
    assert edge(sweep((0.01, 1.0, 0.1)))[0] == "pass"
    status, detail = edge(sweep((0.01, 0.1, 1.0)))
    assert status == "fail"
    assert "best lr of adamw on the edge of 0.01 to 1 in 1 of 1 search (1 at the upper" in detail


def test_a_rate_may_be_searched_by_its_long_name() -> None:
    study = Study(1)
    assert study.plan
    study.plan["search"]["spaces"]["sgd"] = {"optimizer.lr": {"low": 0.1, "high": 10.0}}
    study.change(study.find(contender="sgd", phase="final"), base_lr=5.0)
    status, detail = edge(study)
    assert status == "pass"
    assert "best lr of sgd 5, inside 0.01 to 10" in detail
    study.change(study.find(contender="sgd", phase="final"), base_lr=9.9)
    assert edge(study)[0] == "fail"
    assert study.audit()["other settings inside their ranges"] == (
        "pass",
        "does not apply: study.yaml has no other range that was searched",
    )


def test_a_rate_that_was_not_searched_has_no_edge() -> None:
    study = Study()
    assert study.plan
    space = {"optimizer.weight_decay": {"low": 0.001, "high": 1.0, "scale": "log"}}
    study.plan["search"]["spaces"]["sgd"] = space
    status, detail = edge(study)
    assert status == "pass"
    assert "lr of sgd was not searched, by study.yaml" in detail


def test_other_settings_on_the_edge_warn() -> None:
    study = Study()
    assert study.plan
    for name in study.names:
        decay = {"low": 1e-4, "high": 1.0, "scale": "log"}
        study.plan["search"]["spaces"][name]["optimizer.weight_decay"] = decay
    rows = [row for row in range(len(study.rows)) if study.rows[row]["phase"] != "timing"]
    study.configure(rows, {"optimizer.weight_decay": 0.01})
    name = "other settings inside their ranges"
    assert study.audit()[name][0] == "pass"
    study.configure(study.find(contender="adamw", replicate=0), {"optimizer.weight_decay": 0.9})
    assert study.audit()[name][0] == "pass"
    study.configure(study.find(contender="adamw"), {"optimizer.weight_decay": 0.9})
    status, detail = study.audit()[name]
    assert status == "warn"
    assert "best optimizer.weight_decay of adamw on the edge of 0.0001 to 1 in 3 of 3" in detail


def test_unequal_trials_fail() -> None:
    study = Study()
    study.remove(study.find(contender="sgd", phase="tune", replicate=2, trial=3))
    assert study.audit()["equal tuning budget"] == (
        "fail",
        "searches differ in trials with a result: adamw 4 in each of 3; sgd 4, 4, 3",
    )


def test_a_trial_that_failed_bought_nothing_and_a_stopped_one_counts() -> None:
    study = Study()
    study.change(study.find(phase="tune", trial=3), status="stopped")
    assert study.audit()["equal tuning budget"][0] == "pass"
    study.change(study.find(contender="sgd", phase="tune", trial=3), status="failed")
    assert study.audit()["equal tuning budget"] == (
        "fail",
        "searches differ in trials with a result: adamw 4 in each of 3; sgd 3 in each of 3",
    )


def test_unequal_searches_fail() -> None:
    study = Study()
    study.remove(study.find(contender="sgd", replicate=2))
    status, detail = study.audit()["equal tuning budget"]
    assert (status, detail) == (
        "fail",
        "the optimizers differ in their number of searches: adamw 3, sgd 2",
    )


def test_tuned_against_untuned_fails() -> None:
    study = Study()
    study.remove(study.find(contender="sgd", phase="tune"))
    status, detail = study.audit()["equal tuning budget"]
    assert status == "fail"
    assert "sgd 0 in each of 3" in detail
    study.change(study.find(contender="sgd", phase="final"), phase=None)
    assert study.audit()["equal tuning budget"][0] == "fail"


def test_a_sweep_over_more_settings_of_one_fails() -> None:
    study = sweep((0.01, 1.0, 0.1))
    told = "no tuning trials, these are runs of a sweep or single runs; settings run: adamw 3, sgd "
    assert study.audit()["equal tuning budget"] == ("warn", f"not known: {told}3")
    study.tried["sgd"] = 1
    assert study.audit()["equal tuning budget"] == ("fail", f"{told}1")


def seconds(adamw: float, sgd: float, **plan: object) -> tuple[str, str]:
    study = Study()
    assert study.plan
    study.plan["budget"] = {"unit": "seconds", "seconds": 12.0, **plan}
    for name, each in (("adamw", adamw), ("sgd", sgd)):
        study.change(study.find(contender=name, phase="tune"), train_seconds=each)
    return study.audit()["equal tuning budget"]


@pytest.mark.parametrize(
    ("adamw", "sgd", "status"),
    [(3.0, 3.0, "pass"), (3.0, 2.3, "pass"), (3.0, 2.2, "warn"), (3.0, 1.9, "fail")],
)
def test_seconds_are_equal_within_a_trial(adamw: float, sgd: float, status: str) -> None:
    """Of 4 trials each: 12 s against 9.2 s is within a trial of 3 s, 8.8 s is not."""
    found, detail = seconds(adamw, sgd)
    assert found == status
    assert f"adamw 12 s, sgd {4 * sgd:g} s" in detail
    assert "3 s" in detail


def test_seconds_allow_fewer_trials_of_a_slow_optimizer() -> None:
    study = Study()
    assert study.plan
    study.plan["budget"] = {"unit": "seconds", "trials_of": {"digits/mlp": {"adamw": 2, "sgd": 4}}}
    for trial in (0, 1):
        study.remove(study.find(contender="adamw", phase="tune", trial=trial))
    study.change(study.find(contender="adamw", phase="tune"), train_seconds=4.0)
    assert study.audit()["equal tuning budget"] == (
        "pass",
        "mean tuning time of a search: adamw 8 s, sgd 8 s; differences up to 4 s count as equal",
    )


def test_seconds_of_stacked_trials_are_those_of_runs_alone() -> None:
    study = Study()
    assert study.plan
    study.plan["budget"] = {"unit": "seconds"}
    study.change(study.find(phase="tune"), engine="stacked", train_seconds=None)
    status, detail = study.audit()["equal tuning budget"]
    assert (status, detail) == (
        "warn",
        "not known: the seconds of trials of adamw, sgd, and the budget is in seconds",
    )
    for name, pace in (("adamw", 0.01), ("sgd", 0.02)):
        rate = 0.1
        study.add(name, "pilot", 0, rate, steps=10, train_seconds=10 * pace)
    status, detail = study.audit()["equal tuning budget"]
    assert status == "fail"
    assert "adamw 13.6 s, sgd 27.2 s" in detail  # 4 trials of 340 steps


@pytest.mark.parametrize(
    ("lost", "status"), [(0, "pass"), (3, "pass"), (4, "warn"), (6, "warn"), (7, "fail")]
)
def test_share_of_diverged_trials(lost: int, status: str) -> None:
    """Of 12 trials: above a quarter warns, above half fails."""
    study = Study()
    study.change(study.find(contender="sgd", phase="tune")[:lost], status="diverged")
    found, detail = study.audit()["few diverged trials"]
    assert found == status
    assert f"sgd {lost} of 12 ({100 * lost / 12:.0f} %) trials diverged" in detail
    assert ("adamw" in detail) == (status == "pass")


def test_one_search_measures_seed_noise_only() -> None:
    study = Study(1)
    assert study.audit()["independent searches"] == (
        "warn",
        "one search per optimizer: intervals and p-values are of seed noise only, what tuning "
        "found by luck is not measured",
    )
    assert study.plan
    study.plan["select_by"] = "final_val_metric"
    assert "by a metric misleads more often" in study.audit()["independent searches"][1]


def test_two_searches_are_several_and_one_of_them_is_named() -> None:
    study = Study(2)
    assert study.audit()["independent searches"] == (
        "pass",
        "2 searches of adamw; 2 searches of sgd",
    )
    study.remove(study.find(contender="sgd", replicate=1))
    assert study.audit()["independent searches"] == ("warn", "one search of sgd")


def test_what_tuning_left_no_trace_of_is_not_known() -> None:
    study = Study()
    study.change(study.find(contender="sgd", phase="tune"), status="unfinished")
    told = "not known: no run of sgd has ended"
    assert study.audit()["few diverged trials"] == ("warn", told)
    study.remove(study.find(phase="tune"))
    status, detail = study.audit()["equal tuning budget"]
    assert status == "warn"
    assert detail.startswith("not known: no run of the phase tune is there")


def test_searches_that_repeat_each_other_are_not_independent() -> None:
    study = Study()
    for column in ("final_val_loss",):
        for trial in range(4):
            first, *_, last = study.find(contender="sgd", phase="tune", trial=trial)
            study.rows[last][column] = study.rows[first][column]
    assert study.audit()["independent searches"] == (
        "warn",
        "sgd has the same trials in replicates 0, 2",
    )


def test_equal_draws_are_no_searches_of_their_own_unless_on_a_grid() -> None:
    study = Study()
    for trial in range(4):
        first, second, _ = study.find(contender="sgd", phase="tune", trial=trial)
        study.configs[second] = study.configs[first]
    assert study.audit()["independent searches"][1] == "sgd has the same trials in replicates 0–1"
    assert study.plan
    study.plan["search"]["method"] = "grid"
    assert study.audit()["independent searches"][0] == "pass"


def test_halving_says_what_it_stopped() -> None:
    study = Study()
    study.change(study.find(phase="tune", trial=0), status="stopped", epochs=7, steps=119)
    status, detail = study.audit()["successive halving"]
    assert (status, detail) == (
        "pass",
        "stopped early: 3 of 12 of adamw, 3 of 12 of sgd; rungs after epoch 7; warm-up takes 3",
    )
    study.change(study.find(phase="tune", trial=0), epochs=3, steps=51)
    status, detail = study.audit()["successive halving"]
    assert status == "warn"
    assert "rungs after epoch 3, but warm-up takes 3 epochs: ranked while warming up" in detail


def test_warm_up_in_steps_is_compared_in_epochs() -> None:
    """17 steps an epoch: 119 steps are 7 epochs."""
    study = Study()
    study.configure(study.find(phase="tune"), {"schedule.warmup_steps": 119})
    study.change(study.find(phase="tune", trial=0), status="stopped", epochs=7, steps=119)
    assert study.audit()["successive halving"][0] == "warn"
    study.configure(study.find(phase="tune"), {"schedule.warmup_steps": 118})
    assert study.audit()["successive halving"][0] == "pass"


def test_the_longest_warm_up_counts_and_rungs_may_be_unknown() -> None:
    study = Study()
    stopped = study.find(phase="tune", trial=0)
    study.change(stopped, status="stopped", epochs=7, steps=119)
    study.configure(stopped[:1], {"schedule.warmup_epochs": 8.0})
    assert study.audit()["successive halving"][0] == "warn"
    study.change(stopped, epochs=None)
    assert study.audit()["successive halving"] == (
        "warn",
        "not known: when trials were stopped (3 of 12 of adamw, 3 of 12 of sgd)",
    )


def test_planned_halving_that_stopped_nothing_is_noticed() -> None:
    study = Study()
    assert study.plan
    study.plan["search"]["halving"] = {"reduction_factor": 3}
    assert study.audit()["successive halving"][0] == "warn"


def test_unequal_spaces_warn() -> None:
    study = Study()
    assert study.plan
    spaces = study.plan["search"]["spaces"]
    spaces["sgd"]["optimizer.momentum"] = {"choices": [0.0, 0.9]}
    status, detail = study.audit()["equal search spaces"]
    assert (status, detail) == (
        "warn",
        "settings searched: adamw 1 (lr); sgd 2 (lr, momentum); decades of lr: adamw 3, sgd 3",
    )
    spaces["adamw"]["optimizer.beta"] = {"choices": [0.9, 0.99]}
    assert study.audit()["equal search spaces"][0] == "pass"
    spaces["sgd"]["lr"] = {"low": 0.01, "high": 0.1, "scale": "log"}
    assert study.audit()["equal search spaces"][0] == "warn"


def test_without_a_plan_the_space_is_what_varies() -> None:
    study = Study()
    study.plan = None
    assert study.audit()["equal search spaces"] == (
        "pass",
        "settings searched: adamw 1 (lr); sgd 1 (lr)",
    )


def test_a_search_that_still_improves_warns() -> None:
    study = Study()
    name = "enough trials"
    halves = [expected_best(values, 2, maximize=True) for values in metrics(study)]
    gain = 100 * math.fsum(max(v) - h for v, h in zip(metrics(study), halves, strict=True)) / 3
    status, detail = study.audit()[name]
    assert status == "pass"
    assert f"of adamw with 4 trials against half of them +{gain:.2f} points" in detail
    study.change(study.find(contender="adamw", phase="tune", trial=0), final_val_metric=0.5)
    study.change(study.find(contender="adamw", phase="tune", trial=1), final_val_metric=0.5)
    status, detail = study.audit()[name]
    assert status == "warn"
    assert "still improving when the budget ended" in detail
    assert "sgd" not in detail


def metrics(study: Study) -> list[list[float]]:
    return [
        [
            study.rows[row]["final_val_metric"]
            for row in study.find(contender="adamw", phase="tune", replicate=r)
        ]
        for r in range(3)
    ]


def test_half_a_search_that_may_find_nothing_warns() -> None:
    study = Study()
    for trial in (0, 1):
        study.change(study.find(contender="sgd", phase="tune", trial=trial), status="diverged")
    status, detail = study.audit()["enough trials"]
    assert status == "warn"
    assert "of sgd: half of 4 trials may find none that completes" in detail


def test_stopped_trials_leave_the_curve_unknown() -> None:
    study = Study()
    study.change(study.find(phase="tune", trial=0), status="stopped")
    status, detail = study.audit()["enough trials"]
    assert status == "warn"
    assert detail.startswith("not known: what fewer trials of adamw would find: some were stopped")


def test_ranges_of_bounds_and_of_choices() -> None:
    assert range_of({"low": 0.1, "high": 1, "scale": "log"}) == (0.1, 1.0, True)
    assert range_of({"low": 0, "high": 1, "scale": "log"}) == (0.0, 1.0, False)
    assert range_of({"low": 0.1, "high": 1}) == (0.1, 1.0, False)
    assert range_of({"choices": [1.0, 0.01, 0.1]}) == (0.01, 1.0, True)
    assert range_of({"choices": [0.1, 0.0]}) == (0.0, 0.1, False)
    assert range_of({"choices": ["a", True]}) is None
    assert range_of({"low": 0.1}) is None
    assert range_of(None) is None


def test_a_contender_may_have_the_space_of_its_optimizer() -> None:
    plan = DeclaredPlan({"search": {"spaces": {"adamw": {"lr": {"low": 0.1, "high": 1}}}}})
    assert plan.bounds("adamw schedule=cosine", "lr") == (0.1, 1.0, False)
    assert plan.bounds("adam", "lr") is None


def test_a_workload_may_have_a_space_of_its_own() -> None:
    own = {"spaces": {"adamw": {"lr": {"low": 2, "high": 3}}}}
    every = {"adamw": {"lr": {"low": 0.1, "high": 1}}, "sgd": {"lr": {"low": 4, "high": 5}}}
    content = {"search": {"spaces": every, "of_workloads": {"digits/mlp": own}}}
    plan, other = (DeclaredPlan(content, workload=f"{data}/mlp") for data in ("digits", "wine"))
    assert (plan.bounds("adamw", "lr"), other.bounds("adamw", "lr")) == ((2, 3, 0), (0.1, 1, 0))
    assert plan.bounds("sgd", "lr") == other.bounds("sgd", "lr") == (4, 5, 0)


def test_defaults_have_no_search() -> None:
    assert edge(defaults())[1].startswith("does not apply")
