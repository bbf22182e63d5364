"""What runs are timed to, which differences matter, and where both are stated."""

import json
from pathlib import Path

import pytest
import yaml
from run_folders import make_pair, make_replicates, make_run

from sgdlab.analysis import analyse
from sgdlab.analysis.environments import environments
from sgdlab.analysis.statistics import performance_profile
from sgdlab.errors import InputError
from sgdlab.report.verdict import answers

CURVES = {"a": [(0.95,), (0.96,), (0.97,)], "b": [(0.90,), (0.93,), (0.91,)]}


def make(root: Path, dataset: str = "digits") -> Path:
    for name, curves in CURVES.items():
        for seed, (value,) in enumerate(curves):
            make_run(
                root / dataset / f"{name}{seed}", name, seed=seed, dataset=dataset,
                val=(0.1, value), phase="final",
            )  # fmt: skip
    return root


def test_a_reference_states_the_target(tmp_path: Path) -> None:
    study = analyse([make(tmp_path)], target="a")
    target = study.results[0].target
    assert (target.value, target.given, target.reference) == (0.96, False, "a")
    assert study.comparison["reached_target"].tolist() == [2, 0]
    note = next(n for n in answers(study)[0].notes if n.startswith("Target"))
    assert "the median of the best values of the final runs of a." in note


def test_a_target_may_be_the_text_of_a_number(tmp_path: Path) -> None:
    assert analyse([make(tmp_path)], target="0.93").results[0].target.value == 0.93


def test_an_unknown_reference_is_refused(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(InputError, match=r"--target adma: must be a number .*; valid: a, b"):
        analyse([tmp_path], target="adma")


def test_a_reference_without_completed_runs_gives_no_target(tmp_path: Path) -> None:
    make(tmp_path)
    make_run(tmp_path / "c", "c", status="diverged", phase="final")
    study = analyse([tmp_path], target="c")
    assert study.results[0].target.value is None
    assert study.comparison["median_steps_to_target"].tolist() == [None] * 3
    assert any("No target: c, its reference" in n for n in answers(study)[0].notes)


def test_the_defaults_are_timed_to_the_target_of_the_tuned(tmp_path: Path) -> None:
    make(tmp_path)
    for name in CURVES:
        make_run(tmp_path / f"d{name}", name, seed=1, val=(0.1, 0.3), phase="defaults")
    study = analyse([tmp_path])
    assert [result.target.value for result in study.results] == [0.91, 0.91]
    assert study.comparison["reached_target"].tolist() == [3, 2, 0, 0]
    note = next(n for n in answers(study)[1].notes if n.startswith("Target"))
    assert "of their completed runs in the tuned track" in note


def write_study(folder: Path, **content: object) -> None:
    (folder / "study.yaml").write_text(yaml.safe_dump({"study": "study", **content}))


def test_target_and_margin_are_those_of_the_study_unless_given(tmp_path: Path) -> None:
    make_replicates(tmp_path / "s", {"a": [[0.91], [0.92]], "b": [[0.9], [0.93]]})
    write_study(tmp_path / "s", target=0.5, margin=0.2)
    for root in (tmp_path, tmp_path / "s", tmp_path / "s" / "final"):
        study = analyse([root])
        assert study.studies["study"]["margin"] == 0.2
        assert (study.results[0].target.value, study.results[0].margin) == (0.5, 0.2)
    study = analyse([tmp_path], target=0.7, margin="auto")
    assert (study.results[0].target.value, study.results[0].margin) == (0.7, 0.01)
    write_study(tmp_path / "s", target="b", margin=None)
    study = analyse([tmp_path])
    assert study.results[0].target.reference == "b"
    assert study.results[0].margin == 0.01


def test_a_study_of_another_name_or_a_damaged_one_is_not_believed(tmp_path: Path) -> None:
    make_replicates(tmp_path, {"a": [[0.91]], "b": [[0.9]]})
    write_study(tmp_path, study="other", margin=0.2)
    assert analyse([tmp_path]).studies == {}
    (tmp_path / "study.yaml").write_text("study: [")
    study = analyse([tmp_path])
    assert study.studies == {}
    (problem,) = study.runs.problems
    assert problem.startswith(f"{tmp_path / 'study.yaml'}, line ")
    assert problem.endswith(": not valid YAML")


@pytest.mark.parametrize(
    ("margin", "said"),
    [(0, "positive"), (-1, "positive"), ("some", "positive"), (2.0, "0.02 would be 2 points")],
)
def test_bad_margins(tmp_path: Path, margin: float | str, said: str) -> None:
    make_pair(tmp_path, [0.9], [0.8])
    with pytest.raises(InputError, match=f"--margin.*{said}"):
        analyse([tmp_path], margin=margin)


def test_a_profile_over_workloads_that_share_contenders(tmp_path: Path) -> None:
    steps = {"digits": {"a": 10, "b": 20}, "wine": {"a": 40, "b": 30}, "iris": {"a": 10, "b": None}}
    for dataset, times in steps.items():
        for name, at in times.items():
            curve = tuple(0.9 if at is not None and 10 * n >= at else 0.1 for n in range(6))
            for seed in range(3):
                make_run(
                    tmp_path / dataset / f"{name}{seed}", name, seed=seed, dataset=dataset,
                    val=curve, phase="final", seconds=0.5,
                )  # fmt: skip
    study = analyse([tmp_path], target=0.8)
    cost = {
        name: {f"{d}/mlp": float(times[name] or "inf") for d, times in steps.items()}
        for name in "ab"
    }
    assert study.profile == performance_profile(cost)
    # ρ_a: 1 on two of three, 4/3 on the third; ρ_b: 2, 1 and never.
    assert study.profile is not None
    assert study.profile.score["a"] == pytest.approx((3 + (4 - 4 / 3) + 3) / 9)
    assert study.profile.score["b"] == pytest.approx((2 + 3) / 9)
    assert study.profile_seconds is not None
    assert study.profile_seconds.score == pytest.approx(study.profile.score)


def test_no_profile_of_one_workload_or_of_sweeps(tmp_path: Path) -> None:
    make(tmp_path / "one")
    assert analyse([tmp_path / "one"]).profile is None
    for dataset in ("digits", "wine"):
        for name in "ab":
            make_run(tmp_path / "two" / dataset / name, name, dataset=dataset)
    assert analyse([tmp_path / "two"]).profile is None


def test_no_profile_of_seconds_where_a_workload_was_not_timed(tmp_path: Path) -> None:
    for dataset, seconds in (("digits", 0.5), ("wine", None)):
        for name in "ab":
            make_run(
                tmp_path / dataset / name, name, dataset=dataset, phase="final", seconds=seconds
            )
    study = analyse([tmp_path], target=0.8)
    assert study.profile is not None
    assert study.profile_seconds is None


def test_environments_are_read_when_asked_for_and_once(tmp_path: Path) -> None:
    for seed in range(3):
        make_run(tmp_path / str(seed), seed=seed)
    for seed in range(2):
        (tmp_path / str(seed) / "environment.json").write_text(json.dumps({"threads": 2}))
    runs = analyse([tmp_path]).runs
    found = environments(runs, [0, 1, 2])
    assert found == [{"threads": 2}, {"threads": 2}, {}]
    assert found[0] is found[1]
    (tmp_path / "0" / "environment.json").write_text("{")
    assert environments(runs, [0]) == [{"threads": 2}]
    assert environments(analyse([tmp_path]).runs, [0, 1]) == [{}, {"threads": 2}]
