from pathlib import Path

import numpy as np
import pytest
from run_folders import make_pair, make_run
from scipy import stats

from answer_text import verdicts
from guarded import guarded
from sgdlab.analysis import Analysis, analyse
from sgdlab.report.verdict import answers

FIRST = [0.91, 0.93, 0.95, 0.90, 0.96]
SECOND = [0.90, 0.90, 0.93, 0.86, 0.93]


def rows(analysis: Analysis) -> dict[str, dict]:
    return {row["optimizer"]: row for row in analysis.comparison.to_dict("records")}


def test_tables_agree_with_scipy(tmp_path: Path) -> None:
    make_pair(tmp_path, FIRST, SECOND)
    study = analyse([tmp_path])
    adam = rows(study)["adam"]
    assert adam["test_metric_mean"] == pytest.approx(np.mean(FIRST))
    assert adam["test_metric_sd"] == pytest.approx(np.std(FIRST, ddof=1))
    interval = stats.t.interval(0.95, 4, loc=np.mean(FIRST), scale=stats.sem(FIRST))
    assert (adam["test_metric_ci_low"], adam["test_metric_ci_high"]) == pytest.approx(interval)
    assert adam["peak_memory_bytes"] == 300_000_004
    assert adam["examples_per_second"] == 1002.0
    pair = study.pairwise.iloc[0]
    known = guarded(FIRST, SECOND)
    assert pair["p_value"] == pytest.approx(known.p)
    assert pair["p_adjusted"] == pair["p_value"]
    assert (pair["ci_low"], pair["ci_high"]) == pytest.approx((known.low, known.high))
    assert pair["verdict"] == "first better"
    assert verdicts(study)[0].startswith(
        "On digits/mlp, adam is better than sgd\n"
        f"test accuracy: adam − sgd = +2.60 points (95 % CI {100 * known.low:+.2f} to "
        f"{100 * known.high:+.2f}; p = {known.p:.3f})\n"
    )
    assert "for these tuned settings" in verdicts(study)[0]


def test_less_is_better_for_rmse(tmp_path: Path) -> None:
    for name, values in (("adam", (50.0, 52, 51)), ("sgd", (60.0, 63, 60.5))):
        for seed, value in enumerate(values):
            make_run(
                tmp_path / f"{name}{seed}", name, seed=seed, metric="rmse", test=value,
                val=(80.0, 60.0 + seed, 61.0), summary={"final_val_loss": value},
            )  # fmt: skip
    study = analyse([tmp_path])
    pair = study.pairwise.iloc[0]
    assert (pair["first"], pair["second"]) == ("adam", "sgd")
    assert pair["mean_difference"] < 0
    assert pair["verdict"] == "first better"
    assert rows(study)["sgd"]["metric_direction"] == "min"
    assert rows(study)["sgd"]["target"] == 61.0
    assert "were not tuned under one budget" in verdicts(study)[0]


def test_holm_over_all_pairs_of_a_workload_only(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = {name: 0.9 + 0.01 * rng.normal(size=6) for name in "abc"}
    for dataset in ("digits", "wine"):
        for name, sample in values.items():
            for seed, value in enumerate(sample):
                make_run(
                    tmp_path / dataset / f"{name}{seed}", name, seed=seed, dataset=dataset,
                    test=float(value), phase="final",
                )  # fmt: skip
    pairs = analyse([tmp_path]).pairwise
    pairs = pairs[pairs["metric"] == "test_metric"]
    assert list(pairs["dataset"]) == ["digits"] * 3 + ["wine"] * 3
    p = np.array(pairs["p_value"][:3], dtype=float)
    order = np.argsort(p)
    expected = np.empty(3)
    expected[order] = np.maximum.accumulate(np.minimum(1, p[order] * [3, 2, 1]))
    assert list(pairs["p_adjusted"][:3]) == pytest.approx(list(expected))


def test_only_common_completed_seeds_are_paired(tmp_path: Path) -> None:
    make_pair(tmp_path, FIRST, SECOND)
    make_run(tmp_path / "adam-9", "adam", seed=9, phase="final", status="diverged")
    make_run(tmp_path / "sgd-9", "sgd", seed=9, phase="final", test=0.1)
    make_run(tmp_path / "sgd-8", "sgd", seed=8, phase="final", status="unfinished")
    make_run(tmp_path / "sgd-7", "sgd", seed=7, phase="final", status="failed")
    study = analyse([tmp_path])
    found = rows(study)
    assert [found["adam"][k] for k in ("n", "completed", "diverged")] == [6, 5, 1]
    assert [found["sgd"][k] for k in ("n", "completed", "failed", "unfinished")] == [8, 6, 1, 1]
    assert study.pairwise.iloc[0]["n_pairs"] == 5
    facts = answers(study)[0].details
    assert "sgd: 1 failed, 1 unfinished of 8 runs; means and pairs are of completed runs." in facts


def test_steps_to_target_are_censored(tmp_path: Path) -> None:
    curves = [(0.1, 0.5, 0.9), (0.1, 0.9, 0.8), (0.1, 0.5, 0.6), (0.1, 0.2, 0.3)]
    for seed, curve in enumerate(curves):
        make_run(tmp_path / str(seed), seed=seed, val=curve)
    row = rows(analyse([tmp_path], target=0.6))["sgd"]
    assert row["reached_target"] == 3
    assert row["median_steps_to_target"] == 20  # of 10, 20, 20, never
    assert row["median_seconds_to_target"] == 0.5
    row = rows(analyse([tmp_path], target=0.7))["sgd"]
    assert row["reached_target"] == 2
    assert row["median_steps_to_target"] is None


def test_time_that_was_not_measured_stays_empty(tmp_path: Path) -> None:
    for seed in range(3):
        make_run(tmp_path / str(seed), seed=seed, seconds=None)
    row = rows(analyse([tmp_path], target=0.6))["sgd"]
    assert row["median_steps_to_target"] == 10
    assert row["median_seconds_to_target"] is None
    assert row["examples_per_second"] is None


def test_derived_target_is_what_both_reach_in_half_of_their_runs(tmp_path: Path) -> None:
    for seed, (a, b) in enumerate([(0.95, 0.90), (0.96, 0.93), (0.97, 0.91)]):
        make_run(tmp_path / f"a{seed}", "a", seed=seed, val=(0.1, a))
        make_run(tmp_path / f"b{seed}", "b", seed=seed, val=(0.1, b))
    study = analyse([tmp_path])
    assert rows(study)["a"]["target"] == 0.91
    assert rows(study)["b"]["reached_target"] == 2


def test_tuning_trials_are_counted_and_not_compared(tmp_path: Path) -> None:
    make_pair(tmp_path / "final", FIRST, SECOND)
    for trial in range(4):
        make_run(
            tmp_path / "tune" / str(trial), "adam", lr=0.01 * (trial + 1), phase="tune",
            trial=trial, test=None, status="diverged" if trial == 3 else "completed",
        )  # fmt: skip
    adam = rows(analyse([tmp_path]))["adam"]
    assert (adam["n"], adam["tuning_trials"], adam["settings_tried"]) == (5, 4, 4)
    assert adam["tuning_diverged"] == 1
    assert adam["setting"] == "lr=0.1 momentum=0.9"


def test_trials_that_lost_at_a_rung_are_told_from_those_that_diverged(tmp_path: Path) -> None:
    make_pair(tmp_path / "final", FIRST, SECOND)
    for trial in range(4):
        status = ("completed", "stopped", "diverged", "stopped")[trial]
        make_run(
            tmp_path / "tune" / str(trial), "adam", lr=0.01 * (trial + 1), phase="tune",
            trial=trial, test=None, status=status, val=(0.1, 0.5) if trial else (0.1, 0.6, 0.9),
            summary={"epochs": 1} if trial else {},
        )  # fmt: skip
    make_run(tmp_path / "tune" / "sgd", "sgd", phase="tune", trial=0, test=None)
    study = analyse([tmp_path])
    assert study.runs.problems == []
    adam = rows(study)["adam"]
    assert [adam[f"tuning_{s}"] for s in ("trials", "stopped", "diverged", "failed")] == [
        4,
        2,
        1,
        0,
    ]
    # 20 + 3 * 10 steps were made; two trials stopped after 10 of 20.
    assert adam["tuning_steps_saved"] == pytest.approx(20 / 70)
    answer = answers(study)[0]
    assert (
        "Successive halving stopped 2 of 4 trials of adam early: 29 % of the tuning steps were "
        "saved." in answer.details
    )
    notes = " ".join(answer.notes)
    assert "Not all trials of adam were trained to the end" in notes
    assert "No trial of sgd was stopped early, so the tuning budgets may differ." in notes


def test_without_halving_nothing_is_said_of_it(tmp_path: Path) -> None:
    make_pair(tmp_path, FIRST, SECOND)
    make_run(tmp_path / "tune", "sgd", phase="tune", trial=0, test=None)
    study = analyse([tmp_path])
    answer = answers(study)[0]
    assert "early" not in " ".join([*answer.details, *answer.notes])
    assert rows(study)["sgd"]["tuning_stopped"] == 0
    assert rows(study)["sgd"]["tuning_steps_saved"] is None


def test_a_study_cut_off_while_tuning(tmp_path: Path) -> None:
    for trial in range(2):
        make_run(tmp_path / str(trial), lr=0.1 * (trial + 1), phase="tune", trial=trial, test=None)
    study = analyse([tmp_path])
    assert rows(study)["sgd"]["n"] == 0
    assert "no final run yet" in verdicts(study)[0]


def test_a_sweep_shows_its_best_setting_and_says_that_this_is_optimistic(tmp_path: Path) -> None:
    for lr, value in ((0.1, 0.8), (0.3, 0.9), (1.0, 0.95)):
        for seed in range(2):
            lost = lr == 1.0 and seed == 1
            make_run(
                tmp_path / f"{lr}-{seed}", lr=lr, seed=seed, val=(0.1, value),
                status="diverged" if lost else "completed", summary={"epochs": 1} if lost else {},
            )  # fmt: skip
    make_run(tmp_path / "other", "adam", lr=0.3)  # of one optimizer the rates would be compared
    study = analyse([tmp_path])
    row = rows(study)["sgd"]
    assert row["setting"] == "lr=0.3 momentum=0.9"  # 1.0 is better, but one of its runs diverged
    assert (row["n"], row["settings_tried"]) == (2, 3)
    notes = " ".join(answers(study)[0].notes)
    assert "optimistic" in notes
    assert "ranks after" in notes


def test_what_the_summary_lacks_makes_another_setting_too(tmp_path: Path) -> None:
    for clip in (1.0, 5.0):
        for seed in range(2):
            make_run(
                tmp_path / f"{clip}-{seed}", seed=seed, val=(0.1, 0.9 - clip / 100),
                config={"clip_norm": clip},
            )  # fmt: skip
    make_run(tmp_path / "other", "adam", config={"clip_norm": 1.0})
    row = rows(analyse([tmp_path]))["sgd"]
    assert row["settings_tried"] == 2
    assert row["setting"] == "lr=0.1 momentum=0.9 clip_norm=1"
    assert row["n"] == 2


def test_a_copy_of_a_run_is_no_replicate(tmp_path: Path) -> None:
    for copy in ("one", "two"):
        for seed in range(3):
            make_run(tmp_path / copy / str(seed), seed=seed, test=0.9 + seed / 100)
    study = analyse([tmp_path / "one", tmp_path / "two", tmp_path / "one"])
    assert rows(study)["sgd"]["n"] == 3
    assert len(study.runs.rows) == 6
    assert "3 runs repeat" in " ".join(answers(study)[0].notes)


def test_other_data_and_other_sizes_are_other_workloads(tmp_path: Path) -> None:
    make_run(tmp_path / "a", summary={"num_parameters": 100})
    make_run(tmp_path / "b", summary={"num_parameters": 2000})
    make_run(tmp_path / "c", dataset="wine")
    make_run(tmp_path / "d", dataset="wine", config={"split": {"seed": 1}})
    names = [result.workload.name for result in analyse([tmp_path]).results]
    assert names == [
        "digits/mlp (100 parameters)",
        "digits/mlp (2,000 parameters)",
        "wine (split.seed=1)/mlp",
        "wine (split.seed=null)/mlp",
    ]


def test_without_test_metric_the_verdict_is_by_validation_and_says_so(tmp_path: Path) -> None:
    for name, last in (("a", 0.9), ("b", 0.8)):
        for seed in range(3):
            make_run(
                tmp_path / f"{name}{seed}", name, seed=seed, test=None,
                val=(0.1, last + 0.01 * seed * (name == "a")),
            )  # fmt: skip
    study = analyse([tmp_path])
    assert study.pairwise.iloc[0]["metric"] == "final_val_metric"
    assert "final validation accuracy" in verdicts(study)[0]
    assert any("The test split was not evaluated" in n for n in answers(study)[0].notes)
