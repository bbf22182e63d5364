"""Checks of settings, schedules, environments and the conclusion, each in both directions."""

import math

import pytest
from audit_study import Study, sweep


def test_tuned_at_one_batch_size_and_compared_at_another_fails() -> None:
    study = Study()
    study.configure(study.find(contender="sgd", phase="final"), {"batch_size": 256})
    status, detail = study.audit()["compared as tuned"]
    assert status == "fail"
    assert detail.startswith("sgd in replicate 0, tuned → compared: batch_size 64 → 256; sgd in")


@pytest.mark.parametrize(
    ("key", "value"),
    [("epochs", 40), ("schedule._target_", "other"), ("optimizer.lr", 0.5), ("accumulate", 2)],
)
def test_any_other_setting_counts_too(key: str, value: object) -> None:
    study = Study()
    study.configure(study.find(contender="sgd", phase="final", seed=4), {key: value})
    status, detail = study.audit()["compared as tuned"]
    assert status == "fail"
    assert detail.startswith(f"sgd in replicate 1, tuned → compared: {key} ")


def test_how_a_run_is_watched_only_warns() -> None:
    study = Study()
    study.configure(study.find(contender="sgd", phase="final", seed=4), {"eval.every": 5})
    status, detail = study.audit()["compared as tuned"]
    assert (status, detail) == ("warn", "sgd in replicate 1, tuned → compared: eval.every 1 → 5")
    study.configure(study.find(contender="sgd", phase="final", seed=4), {"batch_size": 5})
    assert study.audit()["compared as tuned"][0] == "fail"


def test_a_tiny_change_is_shown() -> None:
    study = Study()
    row = study.find(contender="sgd", phase="final", seed=1)[0]
    rate = study.configs[row]["optimizer.lr"]
    study.configs[row]["optimizer.lr"] = rate * (1 + 1e-9)
    detail = study.audit()["compared as tuned"][1]
    assert f"optimizer.lr {rate} → {rate * (1 + 1e-9)}" in detail


def test_settings_of_the_winner_may_be_unknown() -> None:
    study = Study()
    for row in study.find(contender="sgd", phase="tune", replicate=0):
        study.configs[row] = {}
    assert study.audit()["compared as tuned"] == (
        "warn",
        "not known: with what settings the winner of sgd in replicate 0 was tuned",
    )


def test_without_final_runs_or_configs_nothing_is_known() -> None:
    study = Study()
    for row in study.find(phase="final"):
        study.configs[row] = {}
    assert study.audit()["same conditions"] == (
        "warn",
        "not known: the settings of adamw, sgd: no config.yaml of a run can be read",
    )
    study.remove(study.find(phase="final"))
    found = study.audit()
    assert found["compared as tuned"] == ("warn", "not known: there are no final runs")
    assert found["schedules at their end"] == ("warn", "not known: no run has completed")


def everywhere(study: Study, name: str, settings: dict[str, object]) -> Study:
    study.configure(study.find(contender=name), settings)
    return study


def test_contenders_under_other_conditions() -> None:
    name = "same conditions"
    study = everywhere(Study(), "sgd", {"batch_size": 256})
    assert study.audit()[name] == ("fail", "batch_size: adamw 64, sgd 256")
    study = everywhere(Study(), "sgd", {"clip_norm": 1.0})
    assert study.audit()[name] == ("warn", "clip_norm: adamw null, sgd 1")
    study = everywhere(study, "sgd", {"model.hidden": "[8]"})
    status, detail = study.audit()[name]
    assert status == "fail"
    assert detail.startswith("model.hidden: adamw [64, 64], sgd [8]; clip_norm")
    assert everywhere(Study(), "sgd", {"optimizer.nesterov": True}).audit()[name][0] == "pass"


@pytest.mark.parametrize("where", ["scientific", "fixed"])
def test_what_was_declared_may_differ(where: str) -> None:
    study = everywhere(Study(), "sgd", {"schedule._target_": "sgdlab.schedules.constant.Constant"})
    assert study.audit()["same conditions"][0] == "warn"
    assert study.plan
    told = {"schedule": ["cosine", "constant"]}
    study.plan["search"][where] = told if where == "scientific" else {"sgd": told}
    assert study.audit()["same conditions"] == (
        "pass",
        "all the same but what was searched or declared: schedule._target_",
    )


def test_what_a_sweep_tried_with_all_may_differ() -> None:
    study = sweep((0.01, 0.1))
    for name, kept, other in (("adamw", 64, 128), ("sgd", 128, 64)):
        study.configure(study.entry(name).chosen, {"batch_size": kept})
        study.configure(study.others[name], {"batch_size": other})
    assert study.audit()["same conditions"][0] == "pass"
    study.configure(study.others["sgd"], {"batch_size": 128})
    assert study.audit()["same conditions"][0] == "fail"


def test_steps_that_cost_several_gradients() -> None:
    study = Study()
    for row in study.find(contender="sgd", phase="final"):
        study.rows[row]["function_evaluations"] = 20 * 340
    assert study.audit()["same work per step"] == (
        "warn",
        "evaluations of the loss or its gradient per step, the larger: adamw 1, sgd 20: curves "
        "against steps favour the greedier",
    )
    columns = ("gradient_evaluations", "function_evaluations")
    study.change(study.find(contender="sgd", phase="final"), **dict.fromkeys(columns))
    assert study.audit()["same work per step"] == (
        "warn",
        "not known: how many gradients a step of sgd takes",
    )


def test_unequal_horizons_warn() -> None:
    study = everywhere(Study(), "sgd", {"epochs": 40})
    study.change(study.find(contender="sgd"), epochs=40)
    assert study.audit()["same horizon"] == ("warn", "20 epochs by adamw; 40 epochs by sgd")
    assert study.plan
    study.plan["search"]["scientific"] = {"epochs": [20, 40]}
    assert study.audit()["same horizon"][1].endswith("(searched, or fixed in study.yaml)")
    study = everywhere(Study(), "sgd", {"max_steps": 340})
    assert study.audit()["same horizon"][1] == "20 epochs by adamw; 340 steps by sgd"


def test_runs_that_ended_before_their_schedule_fail() -> None:
    study = Study()
    study.change(study.find(contender="sgd", phase="final", seed=4), epochs=12)
    assert study.audit()["schedules at their end"] == (
        "fail",
        "1 of 12 completed runs short: sgd seed 4: 12 of 20 epochs",
    )


def test_the_horizon_may_be_in_steps() -> None:
    study = Study()
    rows = [row for name in study.names for row in study.find(contender=name)]
    study.configure(rows, {"max_steps": 340})
    study.change(rows, epochs=12)
    assert study.audit()["schedules at their end"] == (
        "pass",
        "all 12 completed runs trained 340 steps",
    )
    study.change(study.find(contender="sgd", phase="final", seed=4), steps=339)
    assert study.audit()["schedules at their end"][1].endswith("sgd seed 4: 339 of 340 steps")
    study.configs[rows[-1]] = {}
    study.change(study.find(contender="sgd", phase="final", seed=4), steps=340)
    assert study.audit()["schedules at their end"][1].startswith("not known: how long 1 of 12")


@pytest.mark.parametrize(
    ("epochs", "status"), [(10.0, "pass"), (11.0, "warn"), (19.0, "warn"), (20.0, "fail")]
)
def test_length_of_warm_up(epochs: float, status: str) -> None:
    study = everywhere(Study(), "sgd", {"schedule.warmup_epochs": epochs})
    found, detail = study.audit()["length of warm-up"]
    assert found == status
    assert f"warm-up is {5 * epochs:.0f} % of a run of sgd" in detail


@pytest.mark.parametrize(
    ("schedule", "status", "kind"),
    [
        ("sgdlab.schedules.constant.Constant", "pass", "constant"),
        ("sgdlab.schedules.plateau.Plateau", "warn", "plateau"),
        ("sgdlab.schedules.wsd.Wsd", "fail", "wsd"),
        ("my.Own", "warn", "own"),
    ],
)
def test_schedule_free_with_a_decaying_schedule(schedule: str, status: str, kind: str) -> None:
    study = Study()
    own = {"optimizer._target_": "sgdlab.optimizers.schedule_free_sgd.ScheduleFreeSGD"}
    everywhere(study, "sgd", own | {"schedule._target_": schedule})
    study.change(study.find(contender="sgd"), schedule="own")
    found, detail = study.audit()["schedule-free with a constant schedule"]
    assert found == status
    assert f"sgd with schedule {kind}" in detail


def test_every_shipped_schedule_is_known_to_decay_or_not() -> None:
    from pathlib import Path

    from sgdlab.analysis.audit.schedules import DECAYING

    conf = Path(__file__).parents[2] / "conf" / "schedule"
    assert {path.stem for path in conf.glob("*.yaml")} == {*DECAYING, "constant", "plateau"}


def test_data_fingerprints_mixed_fail() -> None:
    study = Study()
    study.environments[study.find(contender="sgd", phase="final", seed=4)[0]] |= {
        "dataset_fingerprint": "ffffffffffff"
    }
    assert study.audit()["same data"] == (
        "fail",
        "2 data sets: 7921b06d (35 runs); ffffffff (1 run)",
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"git_commit": "1234567890"}, "commit 12345678 (1 run)"),
        ({"packages": {"sgdlab": "0.2.0", "torch": "2.6.0"}}, "sgdlab 0.2.0, torch 2.6.0, commit"),
    ],
)
def test_code_versions_mixed_warn(change: dict[str, object], told: str) -> None:
    study = Study()
    study.environments[study.find(contender="sgd", phase="tune")[0]] |= change
    status, detail = study.audit()["same code"]
    assert status == "warn"
    assert detail.startswith("2 versions: sgdlab 0.1.0, torch 2.6.0, numpy 2.0.0, commit abcdef01")
    assert told in detail


def test_devices_mixed_fail_and_systems_warn() -> None:
    study = Study()
    row = study.find(contender="sgd", phase="final", seed=4)[0]
    study.environments[row] |= {"platform": "Darwin"}
    assert study.audit()["same device"] == (
        "warn",
        "cpu (36 runs), but 2 systems: Linux (35 runs); Darwin (1 run)",
    )
    study.environments[row] |= {"device": "NVIDIA H200"}
    assert study.audit()["same device"] == (
        "fail",
        "2 devices: cpu (35 runs); NVIDIA H200 (1 run)",
    )


def test_threads_mixed_warn_on_cpu_only() -> None:
    study = Study()
    rows = study.find(contender="sgd", phase="final")
    for row in rows:
        study.environments[row] |= {"threads": 4}
    assert study.audit()["same threads"] == (
        "warn",
        "numbers of threads differ: 1 thread (30 runs); 4 threads (6 runs)",
    )
    for environment in study.environments.values():
        environment["device"] = "NVIDIA H200"
    assert study.audit()["same threads"][0] == "pass"


def test_runs_that_give_the_time_need_the_same_threads() -> None:
    study = Study()
    study.add("sgd", "timing", 1, 0.1)
    study.environments[study.add("adamw", "timing", 1, 0.1)] |= {"threads": 2}
    status, detail = study.audit()["same threads"]
    assert status == "warn"
    assert detail.startswith("runs that give the time differ in threads")


def test_environments_that_are_not_there_are_not_known() -> None:
    study = Study()
    for row in study.find(contender="sgd", phase="tune"):
        del study.environments[row]
    found = study.audit()
    assert found["same data"] == (
        "warn",
        "not known: 12 runs without it; the others one data set, fingerprint 7921b06d (24 runs)",
    )
    study.environments.clear()
    found = study.audit()
    for name in ("same data", "same code", "same device", "same threads"):
        assert found[name][0] == "warn"
        assert found[name][1].startswith("not known: no run tells")


def test_engines_mixed_warn() -> None:
    study = Study()
    name = "same engine"
    assert study.audit()[name] == ("pass", "12 runs, all sequential: time and memory are their own")
    study.change(study.find(contender="sgd", phase="final"), engine="stacked")
    status, detail = study.audit()[name]
    assert status == "warn"
    assert detail.startswith("adamw sequential, sgd stacked: results agree to rounding, but time")
    study.change(study.find(contender="adamw", phase="final"), engine="stacked")
    status, detail = study.audit()[name]
    assert status == "warn"
    assert detail.endswith("time and memory of adamw, sgd were not measured")
    for contender in study.names:
        study.add(contender, "timing", 1, 0.1)
    assert study.audit()[name] == (
        "pass",
        "12 runs, all stacked: time and memory are of 2 short runs alone",
    )


def test_a_gap_smaller_than_noise_names_no_winner() -> None:
    study = Study()
    study.judge("undecided", 0.0065, -0.0079, 0.0209, seeds_needed=9.0)
    assert study.audit()["gap above noise"] == (
        "warn",
        "no winner can be named: adamw − sgd +0.65 points ± 1.44 points, would need about 9 units "
        "(0 of 1 pair decided)",
    )
    study.judge("undecided", 0.0150, 0.0006, 0.0294, seeds_needed=math.inf)
    assert (
        "(not significant after Holm's adjustment for all pairs)"
        in (study.audit()["gap above noise"][1])
    )


def test_what_has_no_spread_is_undecided_for_that_reason() -> None:
    study = Study()
    nan = math.nan
    study.judge("undecided", 0.02, nan, nan, note="one pair: the spread cannot be estimated")
    assert (
        "adamw − sgd +2.00 points (one pair: the spread cannot be estimated)"
        in (study.audit()["gap above noise"][1])
    )
    study.judge("undecided", nan, nan, nan)
    assert "adamw − sgd not measured (no common unit)" in study.audit()["gap above noise"][1]


def test_equivalence_is_an_answer_and_other_metrics_do_not_count() -> None:
    study = Study()
    study.judge("equivalent", 0.001, -0.002, 0.004)
    study.pairs.append(study.pairs[0] | {"metric": "test_loss", "verdict": "undecided"})
    assert study.audit()["gap above noise"] == (
        "pass",
        "1 of 1 pair decided: adamw and sgd equivalent",
    )
    study.pairs = study.pairs[1:]
    assert study.audit()["gap above noise"] == ("warn", "not known: no pair has test_metric")


def test_one_contender_has_nothing_to_be_unfair_to() -> None:
    study = Study(3, ["adamw"])
    found = study.audit()
    for name in (
        "gap above noise",
        "paired seeds",
        "same conditions",
        "same horizon",
        "same work per step",
    ):
        assert found[name] == ("pass", "does not apply: there is one optimizer")
    assert found["equal tuning budget"] == ("pass", "4 trials for adamw in each of 3 searches")


def test_a_saturated_metric_warns() -> None:
    study = Study()
    study.change(study.find(contender="sgd", phase="final"), test_metric=1.0)
    assert study.audit()["workload not saturated"][0] == "pass"
    study.change(study.find(contender="adamw", phase="final"), test_metric=0.9995)
    assert study.audit()["workload not saturated"] == (
        "warn",
        "too easy to tell optimizers apart, mean accuracy: adamw 99.95 %, sgd 100.00 %",
    )
    study.metric = "rmse"
    assert study.audit()["workload not saturated"][1].startswith("does not apply: rmse")
