"""What a unit is: replicates of searches, seeds of one setting, and studies that meet."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from run_folders import make_replicates, make_run

from answer_text import verdicts
from guarded import guarded
from sgdlab.analysis import Analysis, analyse
from sgdlab.analysis.entries import Entry
from sgdlab.report.verdict import answers

ADAM = [[0.91, 0.93], [0.94, 0.92], [0.90, 0.95], [0.93, 0.94]]
SGD = [[0.90, 0.91], [0.93, 0.90], [0.90, 0.91], [0.91, 0.91]]


def rows(analysis: Analysis) -> dict[str, dict]:
    return {row["optimizer"]: row for row in analysis.comparison.to_dict("records")}


def entry(analysis: Analysis, name: str) -> Entry:
    return next(e for e in analysis.results[0].entries if e.optimizer == name)


def test_a_unit_is_the_mean_over_the_seeds_of_a_replicate(tmp_path: Path) -> None:
    make_replicates(tmp_path, {"adam": ADAM, "sgd": SGD})
    study = analyse([tmp_path])
    a, b = np.mean(ADAM, axis=1), np.mean(SGD, axis=1)
    row = rows(study)["adam"]
    assert (row["unit"], row["units"], row["n"], row["completed"]) == ("replicate", 4, 8, 8)
    assert row["test_metric_sd"] == pytest.approx(a.std(ddof=1))
    pair = study.pairwise.iloc[0]
    assert (pair["n_pairs"], pair["unit"]) == (4, "replicate")
    assert pair["p_value"] == pytest.approx(guarded(a, b).p)
    assert entry(study, "adam").trials_of.keys() == {0.0, 1.0, 2.0, 3.0}
    assert (row["tuning_trials"], row["tuning_steps"]) == (8, 40)


def test_settings_differ_between_replicates_and_none_is_dropped(tmp_path: Path) -> None:
    make_replicates(tmp_path, {"adam": ADAM})
    for number in range(4):
        schedule = "cosine" if number else "constant"
        for k in range(2):
            make_run(
                tmp_path / "final" / f"adam-{number}-{k}", "adam", seed=3 * number + 1 + k,
                phase="final", trial=0, lr=(0.01, 0.02, 0.04, 0.05)[number], test=0.9,
                summary={"contender": "adam", "replicate": number, "schedule": schedule},
            )  # fmt: skip
    found = entry(analyse([tmp_path]), "adam")
    assert found.setting == (
        "lr=0.03 (0.01–0.05 over 4 searches) momentum=0.9 "
        "schedule=cosine (3 of 4), constant (1 of 4)"
    )
    assert found.settings["lr"] == "0.03 (0.01–0.05 over 4 searches)"
    assert found.settings["batch_size"] == 64
    assert [s["lr"] for s in found.settings_of.values()] == [0.01, 0.02, 0.04, 0.05]
    assert (len(found.chosen), found.picked_from) == (8, 1)


def test_a_replicate_that_found_nothing_is_a_missing_unit(tmp_path: Path) -> None:
    make_replicates(tmp_path, {"adam": [*ADAM, []], "sgd": [*SGD, [0.9, 0.9]]})
    study = analyse([tmp_path])
    assert rows(study)["adam"]["units"] == 4
    assert rows(study)["sgd"]["units"] == 5
    assert entry(study, "adam").units[4.0] == []
    assert study.pairwise.iloc[0]["n_pairs"] == 4
    said = "adam: replicate 4 of 5 found no setting to run again, since no trial completed"
    assert any(fact.startswith(said) for fact in answers(study)[0].details)


def test_a_replicate_cut_off_before_its_final_run_is_pending(tmp_path: Path) -> None:
    make_replicates(tmp_path, {"adam": ADAM, "sgd": SGD})
    for k in range(2):
        shutil.rmtree(tmp_path / "final" / f"sgd-3-{k}")
    study = analyse([tmp_path])
    times = study.pairwise[study.pairwise["metric"] == "steps_to_target"].iloc[0]
    assert times["n_pairs"] == 3  # it is not known that it will not reach the target
    facts = answers(study)[0].details
    assert any("sgd: replicate 3 of 4 did not run a winner again yet" in fact for fact in facts)


def test_times_of_replicates(tmp_path: Path) -> None:
    """Seeds that reach the target at 10 and 20, both at 10, one of two, and a search without."""
    fast, slow, never = (0.1, 0.9, 0.9), (0.1, 0.2, 0.9), (0.1, 0.2, 0.3)
    for number, curves in enumerate([(fast, slow), (fast, fast), (fast, never)]):
        for k, curve in enumerate(curves):
            make_run(
                tmp_path / f"{number}-{k}", seed=3 * number + k, val=curve, phase="final",
                summary={"replicate": number},
            )  # fmt: skip
    row = rows(analyse([tmp_path], target=0.8))["sgd"]
    # Units 15 and 10, and one that one of its two seeds alone reached: censored.
    assert (row["median_steps_to_target"], row["reached_target"]) == (15, 5)
    assert row["median_examples_to_target"] == 64 * 15
    for trial in range(2):
        make_run(
            tmp_path / f"t{trial}", seed=9, phase="tune", trial=trial, status="diverged", test=None,
            summary={"replicate": 3},
        )  # fmt: skip
    row = rows(analyse([tmp_path], target=0.8))["sgd"]
    assert row["median_steps_to_target"] is None  # half of four units did not reach it


def test_a_diverged_run_stays_at_risk_and_an_interrupted_one_does_not(tmp_path: Path) -> None:
    """Early divergence must not count for as good as the others; a run cut off says nothing."""
    for seed, at in enumerate((10, 20, 30)):
        curve = tuple(0.9 if 10 * n >= at else 0.1 for n in range(4))
        make_run(tmp_path / str(seed), seed=seed, val=curve)
    lost = {"seed": 3, "val": (0.1, 0.1)}
    make_run(tmp_path / "lost", status="diverged", **lost)
    other = {"seed": 4, "val": (0.1, 0.1)}
    make_run(tmp_path / "other", status="diverged", **other)
    row = rows(analyse([tmp_path], target=0.8))["sgd"]
    assert row["median_steps_to_target"] == 30  # of 10, 20, 30, never, never
    shutil.rmtree(tmp_path / "lost")
    shutil.rmtree(tmp_path / "other")
    make_run(tmp_path / "lost", status="unfinished", **lost)
    make_run(tmp_path / "other", status="unfinished", **other)
    row = rows(analyse([tmp_path], target=0.8))["sgd"]
    # Censored at 10, after the first: S is 4/5, then 4/5 · 1/2, hence below one half at 20.
    assert row["median_steps_to_target"] == 20


def test_one_replicate_of_several_seeds_is_about_its_settings(tmp_path: Path) -> None:
    make_replicates(tmp_path, {"adam": [[0.91, 0.93, 0.95]], "sgd": [[0.9, 0.90, 0.91]]})
    study = analyse([tmp_path])
    assert (rows(study)["adam"]["unit"], rows(study)["adam"]["units"]) == ("seed", 3)
    assert study.pairwise.iloc[0]["n_pairs"] == 3
    assert "This holds for these tuned settings: the noise of seeds alone" in verdicts(study)[0]


def test_copies_of_a_study_count_once(tmp_path: Path) -> None:
    make_replicates(tmp_path / "a", {"adam": ADAM, "sgd": SGD})
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    study = analyse([tmp_path])
    assert (rows(study)["adam"]["n"], rows(study)["adam"]["tuning_trials"]) == (8, 8)
    assert any("16 runs repeat the setting and seed" in n for n in answers(study)[0].notes)


def test_studies_with_the_same_seeds_are_paired(tmp_path: Path) -> None:
    """Whoever compares adam with sgd today and with lion tomorrow gets sgd against lion, too."""
    make_replicates(tmp_path / "a", {"adam": ADAM, "sgd": SGD}, study="a")
    make_replicates(tmp_path / "b", {"adam": ADAM, "lion": SGD}, study="b")
    pairs = analyse([tmp_path]).results[0].primary
    assert [pair["n_pairs"] for pair in pairs] == [4, 4, 4]


def test_studies_with_other_seeds_are_other_units(tmp_path: Path) -> None:
    make_replicates(tmp_path / "a", {"adam": ADAM, "sgd": SGD}, study="a")
    make_replicates(tmp_path / "b", {"adam": SGD, "lion": SGD}, study="b", base=500)
    study = analyse([tmp_path])
    assert rows(study)["adam"]["units"] == 8
    assert list(entry(study, "adam").units) == [0, 1, 2, 3, 4, 5, 6, 7]
    n = {(pair["first"], pair["second"]): pair["n_pairs"] for pair in study.results[0].primary}
    assert n == {("adam", "lion"): 4, ("adam", "sgd"): 4, ("lion", "sgd"): 0}


def test_seeds_and_replicates_are_no_pairs(tmp_path: Path) -> None:
    make_replicates(tmp_path / "a", {"adam": ADAM})
    for seed in range(4):
        make_run(tmp_path / f"sgd{seed}", "sgd", seed=seed, test=0.9 + seed / 100)
    study = analyse([tmp_path])
    assert [rows(study)[name]["unit"] for name in ("adam", "sgd")] == ["replicate", "seed"]
    assert study.results[0].primary[0]["n_pairs"] == 0
    assert "too few replicates to conclude anything" in verdicts(study)[0]


def test_contenders_of_one_optimizer_are_compared(tmp_path: Path) -> None:
    for schedule, values in (("constant", SGD), ("cosine", ADAM)):
        make_replicates(
            tmp_path / schedule, {"sgd": values},
            summary={"contender": f"sgd schedule={schedule}", "schedule": schedule},
        )  # fmt: skip
    study = analyse([tmp_path])
    assert set(rows(study)) == {"sgd schedule=constant", "sgd schedule=cosine"}
    assert study.results[0].primary[0]["n_pairs"] == 4


def test_defaults_alone_are_one_track(tmp_path: Path) -> None:
    for seed in range(3):
        make_run(tmp_path / str(seed), seed=seed, phase="defaults")
    make_run(tmp_path / "t", seed=1, phase="timing")
    assert [result.track for result in analyse([tmp_path]).results] == ["defaults"]


def test_studies_that_share_some_seeds_only_are_other_units(tmp_path: Path) -> None:
    """With one final run replicate 1 has seed 3, with two it has 4 and 5: no pair."""
    make_replicates(tmp_path / "a", {"adam": [[0.9], [0.91]]}, study="a")
    make_replicates(tmp_path / "b", {"adam": [[0.9, 0.9], [0.91, 0.92]]}, study="b")
    assert rows(analyse([tmp_path]))["adam"]["units"] == 4


def test_what_a_diverged_run_reached_before_is_no_result(tmp_path: Path) -> None:
    for name, add in (("a", 0.0), ("b", 0.1)):
        for seed in range(4):
            make_run(
                tmp_path / f"{name}{seed}", name, seed=seed, phase="final",
                status="completed" if seed else "diverged",
                summary={"best_val_loss": 0.2 + add * seed},
            )  # fmt: skip
    pairs = analyse([tmp_path]).pairwise
    pair = pairs[pairs["metric"] == "best_val_loss"].iloc[0]
    assert pair["n_pairs"] == 3
    assert abs(pair["mean_difference"]) == pytest.approx(0.2)
