"""Time and memory of stacked runs, from short runs of their settings alone."""

from pathlib import Path

import pytest
from run_folders import make_run

from answer_text import verdicts
from sgdlab.analysis import Analysis, analyse
from sgdlab.analysis.curves import by_clock, evaluations
from sgdlab.report.verdict import answers

SHORT = {"max_steps": 10, "eval": {"every": 10}}
WHOLE = {"max_steps": None, "eval": {"every": 1}}
PACES = {"adam": (0.03, 0.01, 0.08), "sgd": (0.002, 0.004, 0.001)}
"""Seconds per step of the timing runs; the medians are 0.03 and 0.002."""


def stacked(folder: Path, optimizer: str, seed: int, **changes) -> None:
    """Write a final run of 20 steps and 1,234 examples without time and memory."""
    cells = {"engine": "stacked", "peak_memory_bytes": None, "examples": 1234}
    settings = {"phase": "final", "seconds": None, "config": WHOLE, **changes}
    make_run(folder, optimizer, seed=seed, **{"summary": cells, **settings})


def timing(folder: Path, optimizer: str, seed: int, pace: float, **changes) -> None:
    """Write a timing run of 10 steps with so many seconds per step."""
    settings = {
        "phase": "timing", "val": (0.1, 0.99), "seconds": 10 * pace, "test": None, "config": SHORT,
    }  # fmt: skip
    make_run(folder, optimizer, seed=seed, **{**settings, **changes})


def make_study(root: Path, timed: tuple[str, ...] = ("adam", "sgd")) -> Path:
    for optimizer in ("adam", "sgd"):
        for seed in range(1, 6):
            test = 0.9 + seed / 1000 - 0.01 * (optimizer == "sgd")
            stacked(root / "final" / f"{optimizer}{seed}", optimizer, seed, test=test)
        for trial in range(2):
            stacked(
                root / "tune" / f"{optimizer}{trial}", optimizer, 0, phase="tune", trial=trial,
                lr=0.1 * (trial + 1), test=None,
            )  # fmt: skip
        if optimizer in timed:
            for seed, pace in enumerate(PACES[optimizer], start=1):
                timing(root / "timing" / f"{optimizer}{seed}", optimizer, seed, pace)
    return root


def rows(analysis: Analysis) -> dict[str, dict]:
    return {row["optimizer"]: row for row in analysis.comparison.to_dict("records")}


def notes(analysis: Analysis) -> str:
    return " ".join(answers(analysis)[0].notes)


def test_seconds_are_steps_times_the_median_seconds_per_step(tmp_path: Path) -> None:
    study = analyse([make_study(tmp_path)], target=0.6)
    found = rows(study)
    for optimizer, pace in (("adam", 0.03), ("sgd", 0.002)):
        row = found[optimizer]
        assert row["median_steps_to_target"] == 10
        assert row["median_seconds_to_target"] == pytest.approx(10 * pace)
        assert row["examples_per_second"] == pytest.approx(1234 / (20 * pace))
        assert row["peak_memory_bytes"] == 300_000_003  # of seeds 1 to 3, of which 3 has most
        assert (row["stacked"], row["timing_runs"], row["timing_steps"]) == (5, 3, 10)
    assert "measured alone, 3 short runs of 10 steps each" in notes(study)


def test_curves_have_the_same_clock(tmp_path: Path) -> None:
    study = analyse([make_study(tmp_path)])
    runs = study.runs
    row = next(n for n, run in enumerate(runs.rows) if run["phase"] == "final" and run["seed"] == 1)
    line = evaluations(runs, row, "accuracy", "val", "train_seconds")
    assert line is not None
    assert list(line[0]) == pytest.approx([0, 0.3, 0.6])
    by_steps = evaluations(runs, row, "accuracy", "val", "step")
    assert by_steps is not None
    by_seconds = by_clock(runs, row, by_steps, "train_seconds")
    assert by_seconds is not None
    assert list(by_seconds[0]) == pytest.approx([0, 0.3, 0.6])


def test_runs_csv_keeps_what_was_measured_apart(tmp_path: Path) -> None:
    table = analyse([make_study(tmp_path)]).runs.table
    final = table[table["phase"] == "final"]
    for column in ("train_seconds", "examples_per_second", "peak_memory_bytes"):
        assert final[column].isna().all()


def test_timing_runs_are_neither_trials_nor_replicates(tmp_path: Path) -> None:
    without = analyse([make_study(tmp_path / "without", timed=())])
    timed = analyse([make_study(tmp_path / "timed")])
    time = {
        "median_seconds_to_target", "examples_per_second", "peak_memory_bytes", "timing_runs",
        "timing_steps", "tuning_seconds",
    }  # fmt: skip
    for name, row in rows(timed).items():
        before = rows(without)[name]
        assert {k: v for k, v in row.items() if k not in time} == {
            k: v for k, v in before.items() if k not in time
        }
        assert (row["n"], row["tuning_trials"], row["settings_tried"]) == (5, 2, 2)
    assert timed.pairwise.equals(without.pairwise)
    said = [[(a.headline, a.number) for a in answers(each)] for each in (timed, without)]
    assert said[0] == said[1]
    assert answers(timed)[0].facts == answers(without)[0].facts
    assert "outside the phases" not in notes(timed)
    assert "repeat" not in notes(timed)


def test_without_timing_runs_there_is_no_time_and_that_is_said(tmp_path: Path) -> None:
    study = analyse([make_study(tmp_path, timed=())], target=0.6)
    for row in rows(study).values():
        assert row["median_steps_to_target"] == 10
        for column in ("median_seconds_to_target", "examples_per_second", "peak_memory_bytes"):
            assert row[column] is None
        assert (row["stacked"], row["timing_runs"], row["timing_steps"]) == (5, None, None)
    assert "Of adam and sgd there is no time and memory" in notes(study)


def test_one_optimizer_timed_and_the_other_not(tmp_path: Path) -> None:
    study = analyse([make_study(tmp_path, timed=("sgd",))], target=0.6)
    found = rows(study)
    assert found["adam"]["median_seconds_to_target"] is None
    assert found["sgd"]["median_seconds_to_target"] == pytest.approx(0.02)
    assert "Time, rate and memory of sgd were measured alone" in notes(study)
    assert "Of adam there is no time and memory" in notes(study)


def test_measured_and_derived_times_are_not_mixed_silently(tmp_path: Path) -> None:
    for seed in range(1, 4):
        make_run(tmp_path / f"adam{seed}", "adam", seed=seed, phase="final", config=WHOLE)
        if seed > 1:
            stacked(tmp_path / f"sgd{seed}", "sgd", seed)
        timing(tmp_path / f"timing{seed}", "sgd", seed, 0.002)
    make_run(tmp_path / "sgd1", "sgd", seed=1, phase="final", config=WHOLE)
    study = analyse([tmp_path], target=0.6)
    found = rows(study)
    assert found["adam"]["median_seconds_to_target"] == 0.25
    assert (found["adam"]["stacked"], found["adam"]["timing_runs"]) == (0, None)
    assert found["adam"]["examples_per_second"] == 1002.0
    assert (found["sgd"]["stacked"], found["sgd"]["n"]) == (2, 3)
    assert found["sgd"]["median_seconds_to_target"] == pytest.approx(0.02)  # of 0.02, 0.02, 0.25
    assert "Time, rate and memory of sgd were measured alone" in notes(study)
    assert "sgd: 2 of 3 runs were trained in a stack" in notes(study)
    assert "memory of adam are those of the runs compared" in notes(study)


def test_runs_of_their_own_time_need_no_note(tmp_path: Path) -> None:
    for seed in range(3):
        make_run(tmp_path / str(seed), seed=seed, phase="final")
    study = analyse([tmp_path])
    assert "alone" not in notes(study)
    assert rows(study)["sgd"]["stacked"] == 0


@pytest.mark.parametrize(
    "other",
    [
        {"config": {**SHORT, "batch_size": 32}},
        {"config": {**SHORT, "model": {"width": 64}}},
        {"dataset": "wine"},
        {"summary": {"study": "another"}},
        {"status": "diverged"},
        {"status": "unfinished"},
    ],
)
def test_runs_of_other_settings_or_without_an_end_tell_nothing(tmp_path: Path, other: dict) -> None:
    stacked(tmp_path / "final", "sgd", 1)
    timing(tmp_path / "timing", "sgd", 1, 0.002, **other)
    found = analyse([tmp_path], target=0.6).comparison.to_dict("records")
    row = next(row for row in found if row["dataset"] == "digits")
    assert row["n"] == 1
    assert row["median_seconds_to_target"] is None
    assert row["timing_runs"] is None


def test_the_cost_of_a_step_does_not_depend_on_the_learning_rate(tmp_path: Path) -> None:
    for seed, lr in ((1, 0.1), (2, 0.2), (3, 0.3)):
        cells = {"engine": "stacked", "peak_memory_bytes": None, "replicate": seed - 1}
        stacked(tmp_path / f"final{seed}", "sgd", seed, lr=lr, summary=cells)
        stacked(
            tmp_path / f"tune{seed}", "sgd", 0, lr=lr, summary=cells, phase="tune", trial=0,
            val=(0.1, 0.2, 0.3), test=None,
        )  # fmt: skip
    timing(tmp_path / "timed1", "sgd", 1, 0.002, lr=0.1)
    timing(tmp_path / "timed2", "sgd", 1, 0.008, lr=0.2)
    study = analyse([tmp_path], target=0.6)
    row = rows(study)["sgd"]
    assert (row["unit"], row["timing_runs"]) == ("replicate", 2)
    # By exact settings 0.002 and 0.008 a step; with lr=0.3 both tell it, 0.005 in the median.
    assert row["median_seconds_to_target"] == pytest.approx(10 * 0.005)
    times = [study.runs.evals[n]["train_seconds"][-1] for n in study.results[0].entries[0].chosen]
    assert times == pytest.approx([20 * 0.002, 20 * 0.008, 20 * 0.005])
    assert row["tuning_seconds"] == pytest.approx(20 * (0.002 + 0.008 + 0.005) / 3)


def test_pilot_runs_tell_the_time_where_no_timing_runs_do(tmp_path: Path) -> None:
    stacked(tmp_path / "final", "sgd", 1)
    timing(tmp_path / "pilot", "sgd", 1, 0.5, phase="pilot")
    assert rows(analyse([tmp_path], target=0.6))["sgd"]["median_seconds_to_target"] == 5.0
    timing(tmp_path / "timed", "sgd", 1, 0.002, lr=0.3)
    row = rows(analyse([tmp_path], target=0.6))["sgd"]
    assert row["median_seconds_to_target"] == pytest.approx(0.02)
    assert (row["n"], row["tuning_trials"], row["timing_runs"]) == (1, 0, 1)


def test_tuning_seconds_are_unknown_where_those_of_a_trial_are(tmp_path: Path) -> None:
    make_run(tmp_path / "a", "sgd", phase="tune", trial=0, seconds=0.5)
    make_run(tmp_path / "b", "sgd", phase="tune", trial=1, seconds=0.25, lr=0.2)
    assert rows(analyse([tmp_path]))["sgd"]["tuning_seconds"] == pytest.approx(1.5)
    stacked(tmp_path / "c", "sgd", 0, phase="tune", trial=2, lr=0.3, test=None)
    row = rows(analyse([tmp_path]))["sgd"]
    assert (row["tuning_seconds"], row["tuning_steps"]) == (None, 60)


def test_timing_runs_by_themselves_compare_nothing(tmp_path: Path) -> None:
    timing(tmp_path / "timing", "sgd", 1, 0.002)
    study = analyse([tmp_path])
    assert "no final run yet" in verdicts(study)[0]
    assert study.comparison["n"].tolist() == [0]
    assert study.comparison["median_seconds_to_target"].tolist() == [None]
