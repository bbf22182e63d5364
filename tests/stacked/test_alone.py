"""A long run of a small model is compiled as a stack of one."""

from pathlib import Path

import pytest
from stacked_runs import job, table, train_one_by_one

from sgdlab.config.job import Job
from sgdlab.stacked.alone import compiled_alone, train_alone
from sgdlab.stacked.compiled import plan as planning
from sgdlab.stacked.compiled.graph import has_compiler
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.build import build_run
from sgdlab.training.run import train_run


@pytest.fixture(autouse=True)
def _has_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "has_compiler", lambda: True)


LONG = ("dataset=wine", "model=mlp", "model.hidden=[16]", "max_steps=3000000", "threads=1")


@pytest.mark.parametrize(
    ("overrides", "is_compiled"),
    [
        ((), True),
        (("max_steps=3000",), False),
        (("engine=sequential",), False),
        (("compile=false",), False),
        (("stacked.compile=false",), False),
        (("model.dropout=0.1",), False),
        (("model=cnn", "dataset=digits"), False),
        (("average=ema",), False),
        (("diagnostics=full",), False),
    ],
    ids=str,
)
def test_which_runs_are(tmp_path: Path, overrides: tuple[str, ...], is_compiled: bool) -> None:
    own = [x for x in LONG if x.split("=")[0] not in {o.split("=")[0] for o in overrides}]
    if "model=cnn" in overrides:
        own.remove("model.hidden=[16]")
    run = job(tmp_path, *own, *overrides)
    found = compiled_alone(run.config, build_run(run.config), run.directory)
    assert (found is not None) is is_compiled


def test_a_run_goes_on_by_the_ordinary_trainer_that_has_begun_it(tmp_path: Path) -> None:
    begun = job(tmp_path, *LONG[:3], "max_steps=3", "threads=1")
    train_run(begun.config, begun.directory, NoDisplay())
    run = job(tmp_path, *LONG)
    built = build_run(run.config)
    assert compiled_alone(run.config, built, begun.directory) is None
    assert compiled_alone(run.config, built, run.directory) is not None


class _Seen(NoDisplay):
    def __init__(self) -> None:
        self.steps: list[int] = []
        self.values: list[float] = []

    def step(self, step: int, loss: float, lr: float, grad_norm: float) -> None:
        self.steps.append(step)

    def evaluated(self, metric: float) -> None:
        self.values.append(metric)


@pytest.mark.slow
@pytest.mark.skipif(not has_compiler(), reason="no C++ compiler")
def test_it_is_the_same_run_and_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "_COMPILING", 0.0)
    run = job(tmp_path / "a", *LONG[:3], "max_steps=60", "threads=1", "dtype=float64")
    stack = compiled_alone(run.config, build_run(run.config), run.directory)
    assert stack is not None
    seen = _Seen()
    train_alone(stack, run.run_id, run.directory, seen)
    (alone,) = train_one_by_one(tmp_path / "b", [Job(run.config, run.run_id, run.directory)])
    ours, theirs = table(run, "steps.csv"), table(alone, "steps.csv")
    for column in ("loss", "grad_norm", "lr"):
        assert ours[column].to_numpy() == pytest.approx(theirs[column].to_numpy(), rel=1e-9)
    assert seen.steps == list(range(1, 61))
    val = table(run, "evals.csv").query("split == 'val'")["accuracy"]
    assert seen.values == list(val)
