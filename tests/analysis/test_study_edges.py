import math
from pathlib import Path

import pytest
from run_folders import make_pair, make_run

from answer_text import verdicts
from sgdlab.analysis import Analysis, analyse
from sgdlab.errors import InputError

FIRST = [0.91, 0.93, 0.95, 0.90, 0.96]
SECOND = [0.90, 0.90, 0.93, 0.86, 0.93]


def rows(analysis: Analysis) -> dict[str, dict]:
    return {row["optimizer"]: row for row in analysis.comparison.to_dict("records")}


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ([0.9], [0.8], "too few seeds to conclude anything"),
        ([0.9, 0.8], [0.8, 0.7], "the same difference for every seed"),
        ([0.9, 0.8], [], "one optimizer only: adam"),
    ],
)
def test_little_or_no_evidence(
    tmp_path: Path, first: list[float], second: list[float], said: str
) -> None:
    make_pair(tmp_path, first, second)
    study = analyse([tmp_path])
    assert said in verdicts(study)[0]
    assert all(pair["verdict"] == "undecided" for pair in study.results[0].primary)


def test_nothing_completed(tmp_path: Path) -> None:
    for seed in range(2):
        make_run(tmp_path / str(seed), seed=seed, status="diverged")
    study = analyse([tmp_path])
    (said,) = verdicts(study)
    assert said.startswith(
        "On digits/mlp, nothing can be compared\nnone of 2 runs completed (2 diverged)\n"
    )
    assert said.endswith(f"Next: see why\nsgdlab diagnose {tmp_path / '0'}")
    assert rows(study)["sgd"]["test_metric_mean"] is None


def test_one_alive_against_one_dead(tmp_path: Path) -> None:
    make_run(tmp_path / "a", "adam")
    make_run(tmp_path / "b", "sgd", status="diverged")
    verdict = verdicts(analyse([tmp_path]))[0]
    assert "only adam has completed runs" in verdict
    assert "No run of sgd completed; nothing can be concluded against it" in verdict


def test_constant_metric_has_no_interval(tmp_path: Path) -> None:
    make_pair(tmp_path, [0.9] * 3, [0.9] * 3)
    row = rows(analyse([tmp_path]))["sgd"]
    assert (row["test_metric_mean"], row["test_metric_sd"]) == (pytest.approx(0.9), 0.0)
    assert row["test_metric_ci_low"] is None


@pytest.mark.parametrize("name", ["summary.csv", "evals.csv", "steps.csv"])
def test_a_damaged_file_is_named_and_the_rest_reported(tmp_path: Path, name: str) -> None:
    make_pair(tmp_path, FIRST, SECOND)
    path = tmp_path / "adam-0" / name
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]) + lines[-1][:5])
    study = analyse([tmp_path])
    assert len(study.runs.problems) == 1
    assert f"{path}, line {len(lines)}: truncated" in study.runs.problems[0]
    adam = rows(study)["adam"]
    assert (adam["n"], adam["completed"], adam["failed"]) == (5, 4, 1)
    assert study.pairwise.iloc[0]["n_pairs"] == 4


def test_a_number_that_is_none_is_damage(tmp_path: Path) -> None:
    make_run(tmp_path / "a", seed=1)
    make_run(tmp_path / "b", summary={"final_val_metric": "abc"})
    study = analyse([tmp_path])
    assert study.runs.problems == [
        f"{tmp_path / 'b' / 'summary.csv'}, line 2: final_val_metric is not a number"
    ]


def test_the_unfinished_end_of_a_running_run_is_no_damage(tmp_path: Path) -> None:
    make_run(tmp_path / "a", status="unfinished", seed=3)
    with (tmp_path / "a" / "steps.csv").open("a") as file:
        file.write("21,3,13")
    study = analyse([tmp_path])
    assert study.runs.problems == []
    run = study.runs.rows[0]
    assert (run["optimizer"], run["seed"], run["status"]) == ("sgd", 3, "unfinished")
    assert run["steps"] == 20


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "no such folder"),
        (lambda path: path.mkdir(), "no run in it"),
        (lambda path: path.write_text("x"), "not a folder"),
    ],
)
def test_bad_folders_are_one_line(tmp_path: Path, make, said: str) -> None:
    make(tmp_path / "x")
    with pytest.raises(InputError, match=said) as error:
        analyse([tmp_path / "x"])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("target", [95.0, math.nan, math.inf])
def test_bad_targets(tmp_path: Path, target: float) -> None:
    make_run(tmp_path / "a")
    with pytest.raises(InputError, match="--target"):
        analyse([tmp_path], target)
