"""What a lesson refuses, resumes and leaves, with a small lesson of the user's own."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from cli_runs import Cli, Result

LESSON: dict[str, Any] = {
    "title": "Two rates",
    "runs": {"slow": ["lr=0.001"], "fast": ["lr=0.1"]},
    "values": {"slow_end": "last(slow.train.loss)", "fast_end": "last(fast.train.loss)"},
    "expect": ["Seen are {slow_end:.3f} and {fast_end:.3f}.", "That is why."],
    "check": ["fast_end < slow_end"],
    "plot": {"x": "step", "y": "loss"},
}


class Own:
    """A ``--config-dir`` with one lesson, ``experiment=mine``."""

    def __init__(self, sgdlab: Cli, folder: Path) -> None:
        self.sgdlab = sgdlab
        self.folder = folder
        self.place = sgdlab.folder / "mine"

    def write(self, lesson: object) -> None:
        content = {
            "defaults": [
                {"override /dataset": "wine"},
                {"override /model": "linear"},
                {"override /schedule": "constant"},
            ],
            "max_steps": 5,
            "hydra": {"run": {"dir": "mine"}},
            "lesson": lesson,
        }
        path = self.folder / "experiment/mine.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("# @package _global_\n" + yaml.safe_dump(content, sort_keys=False))

    def run(self, *arguments: str) -> Result:
        given = ("--config-dir", self.folder, "experiment=mine", *arguments)
        return self.sgdlab("train", *given)


@pytest.fixture
def own(sgdlab: Cli, tmp_path: Path) -> Own:
    return Own(sgdlab, tmp_path / "parts")


def changed(**keys: Any) -> dict[str, Any]:
    lesson = {**copy.deepcopy(LESSON), **keys}
    return {key: value for key, value in lesson.items() if value is not None}


@pytest.mark.slow
def test_runs_are_made_once_and_overrides_count_for_all_of_them(own: Own):
    own.write(LESSON)
    first = own.run()
    assert first.code == 0, first.err
    files = {"config.yaml", "steps.csv", "evals.csv", "summary.csv", "environment.json"}
    for name in ("slow", "fast"):
        assert files <= {path.name for path in (own.place / name).iterdir()}
        assert yaml.safe_load((own.place / name / "config.yaml").read_text())["lesson"] is None
    written = (own.place / "slow/steps.csv").stat().st_mtime_ns
    again = own.run()
    assert again.out == first.out
    assert (own.place / "slow/steps.csv").stat().st_mtime_ns == written
    other = own.run("seed=1", "max_steps=3")
    assert other.code == 0, other.err
    for name in ("slow", "fast"):
        config = yaml.safe_load(
            (own.place / "max_steps=3,seed=1" / name / "config.yaml").read_text()
        )
        assert (config["seed"], config["max_steps"]) == (1, 3)
    assert other.out.splitlines()[-1] == "mine/max_steps=3,seed=1/lesson.svg"


def test_what_does_not_show_is_not_claimed(own: Own):
    own.write(changed(check=["slow_end > 0", "fast_end > 2 * slow_end"]))
    result = own.run()
    assert result.code == 0, result.err
    seen, why = result.out.splitlines()[-3:-1]
    assert seen.startswith("Seen are ")
    low, high = seen.removesuffix(".").split()[2], seen.removesuffix(".").split()[4]
    assert why.startswith("This time the runs do not show what the lesson is about: ")
    assert "fast_end > 2 * slow_end" in why
    assert f"fast_end = {float(high):.3g}" in why
    assert f"slow_end = {float(low):.3g}" in why
    assert "That is why" not in result.out


@pytest.mark.slow
def test_a_run_that_fails_ends_the_lesson_with_its_reason(own: Own):
    own.write(changed(runs={"slow": ["lr=0.001"], "fast": ["model=cnn", "lr=0.1"]}))
    result = own.run()
    assert result.code == 2
    assert "images" in result.err
    assert not own.place.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("lr=0.5",), "lr=0.5: the runs of this lesson differ in lr (lr=0.001, lr=0.1)"),
        (("epochs=0",), "epochs=0: must be"),
        (("lesson.title=x", "lesson.runs.slow=[lr]"), "lr is no key=value"),
        (("lesson=3",), "lesson=3: must be a section"),
    ],
)
def test_overrides_that_cannot_be_meant_are_refused(own: Own, arguments: Any, says: str):
    own.write(LESSON)
    result = own.run(*arguments)
    assert result.code == 2
    assert says in result.err
    assert result.err.count("\n") == 1
    assert not own.place.exists()


def test_a_lesson_is_not_swept(own: Own):
    own.write(LESSON)
    result = own.run("-m", "seed=1,2")
    assert result.code == 2
    assert "leave out -m" in result.err
    assert "Traceback" not in result.err
    assert not any(own.sgdlab.folder.rglob("steps.csv"))


@pytest.mark.parametrize(
    ("section", "says"),
    [
        (changed(title=None), "lesson.title: is missing"),
        (changed(plots={}), "lesson.plots: no such key; did you mean plot?"),
        (changed(runs={}), "lesson.runs={}: must give each run"),
        (changed(runs={"a b": ["lr=1"]}), "lesson.runs.a b: a name is letters"),
        (changed(runs={"slow": "lr=1"}), "lesson.runs.slow=lr=1: must give"),
        (changed(runs={"slow": ["lr"], "fast": []}), "lesson.runs.slow: lr is no key=value"),
        (changed(values=[1]), "lesson.values=[1]: must map"),
        (changed(values={"slow": "1"}), "lesson.values.slow: is the name of a run"),
        (changed(values={"x": "last(slaw.loss)"}), "no run or value slaw"),
        (changed(values={"x": "last(slow"}), "lesson.values.x: last(slow: cannot be read"),
        (changed(expect=["One."]), "lesson.expect: must be two sentences"),
        (changed(expect=["{x}.", "Two."]), "lesson.expect: {x}: no such value"),
        (changed(expect=["{x.", "Two."]), "lesson.expect: {x.: "),
        (changed(check=[]), "lesson.check: must be conditions"),
        (changed(check=["slow > 1"]), "no run or value slow"),
        (changed(plot={"x": "step"}), "lesson.plot: must name two columns"),
        (changed(plot={"x": "step", "y": "loss", "kind": "bar"}), "lesson.plot.kind=bar"),
        (changed(plot={"x": "lr", "y": "loss", "kind": "points"}), "points need lines"),
        (
            changed(plot={"x": "lr", "y": "loss", "kind": "points", "lines": {"a": ["b"]}}),
            "lesson.plot.lines.a: no run b",
        ),
        (changed(plot={"x": "step", "y": "loss", "window": [1]}), "lesson.plot.window=[1]"),
    ],
)
def test_a_broken_section_is_refused_before_anything_runs(section: Any, says: str):
    from sgdlab.errors import InputError
    from sgdlab.lessons.lesson import lesson_of

    with pytest.raises(InputError) as refused:
        lesson_of(section)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("section", "says"),
    [
        (changed(values={"x": "last(slow.los)"}, expect=["a.", "b."], check=["x > 0"]), "did you"),
        (changed(plot={"x": "step", "y": "los"}), "lesson.plot: steps.csv of slow has no column"),
        (changed(plot={"x": "step", "y": "loss", "kind": "contour"}), "two variables"),
    ],
)
def test_columns_that_the_runs_lack_are_named(own: Own, section: Any, says: str):
    own.write(section)
    result = own.run()
    assert result.code == 2
    assert says in result.err.splitlines()[-1]
    assert "Traceback" not in result.err


@pytest.mark.parametrize("command", ["compare", "lr-find"])
def test_other_commands_refuse_a_lesson(command: str, tmp_path: Path) -> None:
    result = Cli(tmp_path)(command, "experiment=lessons/lr_gap")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert f"{command}: a lesson goes with train" in result.err
    assert not list(tmp_path.iterdir())
