"""Models stacked by their own code: which train as alone, and why others do not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stacked_runs import grouped, job, jobs, table, train_one_by_one, train_stacked

from sgdlab.config.job import Job
from sgdlab.results import read_config, read_summary
from sgdlab.stacked import fit, measure, proof
from sgdlab.stacked.general.model import GeneralModel
from sgdlab.stacked.group import StackPlanner
from sgdlab.stacked.launch import sort
from sgdlab.stacked.measured import Measured

WORDS = "the quick brown fox jumps over the lazy dog. "


@pytest.fixture
def book(tmp_path: Path) -> str:
    file = tmp_path / "book.txt"
    file.write_text(WORDS * 40)
    return f"dataset.path={file}"


TEXT = (
    "dataset=text", "dataset.context=6", "dataset.tokens=characters", "batch_size=16",
    "max_steps=20", "dtype=float64", "eval.every=2", "model.depth=1",
)  # fmt: skip
TINY = {"gpt": ("model=gpt", "model.width=8"), "lstm": ("model=lstm", "model.width=6")}


def own(folder: Path, target: str, *overrides: str, seed: int = 0, **settings: Any) -> Job:
    """Return a run of a user's model on digits."""
    run = job(folder, "engine=stacked", "model.hidden=[12]", f"seed={seed}", *overrides)
    section = {"_target_": f"own_models.{target}", **settings}
    config = replace(run.config, model=section, names=run.config.names | {"model": "mine"})
    return Job(config, f"{run.run_id}{seed}", folder / f"{run.run_id}{seed}")


def agree(runs: list[Job], folder: Path) -> None:
    """Train runs both ways, and compare all their numbers."""
    assert isinstance(grouped(runs)[1].stacked, GeneralModel)
    train_stacked(runs)
    for ours, theirs in zip(runs, train_one_by_one(folder, runs), strict=True):
        for name in ("steps.csv", "evals.csv"):
            a, b = table(ours, name), table(theirs, name)
            assert list(a.columns) == list(b.columns)
            assert len(a) == len(b)
            for column in a.columns.drop("train_seconds", errors="ignore"):
                if a[column].dtype == float:
                    np.testing.assert_allclose(a[column], b[column], rtol=1e-9, atol=1e-14)
                else:
                    assert list(a[column]) == list(b[column])
        assert read_summary(ours.directory)["status"] == read_summary(theirs.directory)["status"]  # type: ignore[index]


FEW: dict[str, tuple[str, ...]] = {
    "gpt, 200 steps": (*TINY["gpt"], "max_steps=200", "eval.every=20"),
    "gpt, dropout, accumulation": (*TINY["gpt"], "model.dropout=0.2", "accumulate=3"),
    "lstm, dropout": (*TINY["lstm"], "model.depth=2", "model.dropout=0.3"),
}
MORE: dict[str, tuple[str, ...]] = {
    "gpt, rotary": (
        *TINY["gpt"], "model.positions=rotary", "model.norm=rms", "model.activation=swiglu",
        "model.tied=false", "model.qk_norm=true", "optimizer=adamw", "lr=0.01",
    ),
    "gpt, ignored tokens": (
        *TINY["gpt"], "loss=cross_entropy", "loss.ignore_index=3", "accumulate=2", "metric=accuracy"
    ),
    "lstm": TINY["lstm"],
}  # fmt: skip


VARIANTS = FEW | MORE
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in MORE]


@pytest.mark.parametrize("variant", [*FEW, *SLOW])
def test_a_language_model_agrees(variant: str, tmp_path: Path, book: str) -> None:
    common = (*TEXT, book, *VARIANTS[variant])
    runs = jobs(tmp_path / "a", common, [["seed=0"], ["seed=1", "clip_norm=0.1", "lr=0.02"]])
    agree(runs, tmp_path / "b")


@pytest.mark.parametrize("model", ["Residual", "Averaging", "Tied"])
def test_a_model_of_the_users_agrees(model: str, tmp_path: Path) -> None:
    common = ("dtype=float64", "max_steps=20", "eval.every=1", "batch_size=200")
    runs = [own(tmp_path / "a", model, *common, seed=seed) for seed in (0, 1)]
    assert proof.refusal(*grouped(runs)) is None
    agree(runs, tmp_path / "b")


@pytest.mark.slow
def test_a_residual_network_agrees(tmp_path: Path) -> None:
    common = (
        "model=resnet18", "model.width=2", "dtype=float64", "max_steps=4", "batch_size=128",
        "eval.every=1",
    )  # fmt: skip
    agree(jobs(tmp_path / "a", common, [["seed=0"], ["seed=1"]]), tmp_path / "b")


def test_a_run_that_diverges_does_so_at_its_own_step(tmp_path: Path, book: str) -> None:
    common = (*TEXT, book, *TINY["gpt"], "optimizer=sgd")
    runs = jobs(tmp_path / "a", common, [["seed=0"], ["seed=0", "lr=1e5"], ["seed=1", "lr=1e4"]])
    agree(runs, tmp_path / "b")
    assert read_summary(runs[1].directory)["status"] == "diverged"  # type: ignore[index]


REFUSED = {
    "Jittered": "a step fails: it draws random numbers otherwise than by dropout",
    "Branching": "a step fails: its forward pass depends on values",
    "Skipping": "a step draws from Python's or NumPy's generator",
    "Remembering": "a stacked step leaves another mean",
    "Numbered": "the layers of the model change",
}


@pytest.mark.parametrize("model", REFUSED)
def test_a_model_that_differs_is_refused_and_says_why(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [own(tmp_path, model, seed=seed) for seed in (0, 1)]
    _, groups, rest = sort(runs)
    assert (groups, rest) == ([], runs)
    said = capsys.readouterr().err
    assert REFUSED[model] in said, said
    assert said.count("\n") == 1


def test_a_tensor_that_the_seed_draws_and_no_checkpoint_holds_is_refused(tmp_path: Path) -> None:
    runs = [own(tmp_path, "Random", seed=seed) for seed in (0, 1)]
    groups, others = StackPlanner().of(runs)
    assert len(groups[0].jobs) == 1
    assert list(others) == ["the layers of the model change with the seed"]


CUT = (*TEXT, *TINY["gpt"], "dtype=float32", "model.dropout=0.2", "checkpoint.every=7")


def _bytes(runs: list[Job]) -> list[list[bytes]]:
    names = ("steps.csv", "evals.csv", "summary.csv", "config.yaml")
    return [[(run.directory / name).read_bytes() for name in names] for run in runs]


def test_a_killed_stack_ends_with_the_same_bytes(
    tmp_path: Path, book: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    varied = [["seed=0"], ["seed=1"], ["seed=0", "lr=0.2"], ["seed=2"]]
    whole = jobs(tmp_path / "a", (*CUT, book), varied)
    train_stacked(whole)
    runs = jobs(tmp_path / "b", (*CUT, book), varied)
    real = fit.StackFit._block

    def killed(self: fit.StackFit, epoch: int, done: int, stop: int) -> None:
        if self.step >= 14:
            raise KeyboardInterrupt
        real(self, epoch, done, stop)

    monkeypatch.setattr(fit.StackFit, "_block", killed)
    with pytest.raises(KeyboardInterrupt):
        train_stacked(runs)
    assert (runs[0].directory / "checkpoint.pt").is_file()
    monkeypatch.undo()
    train_stacked(runs[2:])  # in two stacks, of other sizes
    train_stacked(runs[:2])
    assert _bytes(runs) == _bytes(whole)


ACTIVATIONS = ["ReLU", "GELU", "SiLU", "Sigmoid", "ELU", "SELU", "CELU", "Softplus", "Mish"]


class _Branch(torch.nn.Module):
    """A network of sizes that fill no vector registers."""

    def __init__(self, activation: str) -> None:
        super().__init__()
        self.a, self.b = torch.nn.Linear(13, 7), torch.nn.Linear(7, 7)
        self.act: torch.nn.Module = getattr(torch.nn, activation)()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.a(x)
        return h + self.act(self.b(h))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_bit_of_an_output_depends_on_the_other_runs(activation: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = _Branch(activation).to(dtype)
    states = [_Branch(activation).to(dtype).state_dict() for _ in range(6)]
    x = torch.randn(6, 3, 13).to(dtype)

    def outputs(rows: list[int]) -> torch.Tensor:
        form = GeneralModel(model)
        return form.forward(form.load([states[r] for r in rows], torch.device("cpu")), x[rows])

    with torch.no_grad():
        whole = outputs([*range(6)])
        for rows in ([5, 0], [3, 3], [4, 2, 0], [1, 2, 3, 4, 5]):
            assert torch.equal(outputs(rows), whole[rows])
            for row in rows:
                model.load_state_dict(states[row])
                torch.testing.assert_close(whole[row], model(x[row]))


def _measured(monkeypatch: pytest.MonkeyPatch, cache: Path, *found: Measured) -> list[Measured]:
    """Give these measurements in turn; return those that are left."""
    left = list(found)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setattr(measure, "measure", lambda *_: left.pop(0))
    return left


def test_auto_takes_what_was_measured_to_be_faster_and_remembers_it(
    tmp_path: Path, book: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slower, faster = Measured(0.003, {2: 0.004}), Measured(0.003, {2: 0.001})
    common = ("engine=auto", *TEXT, book, *TINY["gpt"])
    runs = jobs(tmp_path / "runs", common, [["seed=0"], ["seed=1"]])
    left = _measured(monkeypatch, tmp_path / "cache", slower, faster)
    for _ in range(2):  # the second time by what is kept
        assert sort(runs)[2] == runs
        assert "(4 ms a step, alone 3) (2)" in capsys.readouterr().err
    assert left == [faster]
    others = jobs(tmp_path / "runs", (*common, "batch_size=32"), [["seed=0"], ["seed=1"]])
    assert sort(others)[2] == []
    assert left == []


def test_runs_go_on_by_the_engine_that_has_begun_them(
    tmp_path: Path, book: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slower, faster = Measured(0.003, {2: 0.004}), Measured(0.003, {2: 0.001})
    common = ("engine=auto", *TEXT, book, *TINY["gpt"], "max_steps=2")
    runs = jobs(tmp_path / "runs", common, [["seed=0"], ["seed=1"]])
    _measured(monkeypatch, tmp_path / "one", slower)
    train_stacked(runs[:1])
    assert read_config(runs[0].directory)["engine"] == "stacked"
    assert sort(runs)[2] == []
    alone = jobs(tmp_path / "others", common, [["seed=0"], ["seed=1"]])
    train_one_by_one(tmp_path / "others", alone[:1])
    _measured(monkeypatch, tmp_path / "two", faster)
    assert sort(alone)[2] == alone


def test_a_measurement_is_of_both_ways_and_leaves_no_trace(tmp_path: Path, book: str) -> None:
    runs = jobs(tmp_path / "runs", (*TEXT, book, *TINY["gpt"]), [["seed=0"], ["seed=1"]])
    planner, group = grouped(runs)
    before = torch.get_rng_state()
    found = measure.measure(planner, group, [2])
    assert found.alone > 0
    assert found.stacked[2] > 0
    assert torch.equal(torch.get_rng_state(), before)
    assert not (tmp_path / "runs").exists()
