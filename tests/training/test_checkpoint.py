"""A run that goes on from its checkpoint ends with the same bits as one that was never stopped."""

from pathlib import Path

import pytest
import torch

from sgdlab.config.catalogue import conf_dir
from trainer_runs import Rows, built, fit_from_checkpoint

OPTIMIZERS = sorted(path.stem for path in (conf_dir() / "optimizer").glob("*.yaml"))
SCHEDULES = sorted(path.stem for path in (conf_dir() / "schedule").glob("*.yaml"))
MECHANICS = [
    ["staleness.delay=3"],
    ["staleness.delay=4", "staleness.random=true", "staleness.correct_lr=true"],
    ["local_sgd.workers=3", "local_sgd.steps=4", "batch_size=5"],
    ["local_sgd.workers=2", "local_sgd.steps=5", "optimizer=adamw", "batch_size=8"],
    ["local_sgd.workers=2", "local_sgd.steps=4", "local_sgd.start=13", "model.batch_norm=true"],
    ["average=polyak", "average.start=0.2"],
    ["average=ema", "average.decay=0.9", "model.batch_norm=true", "model.dropout=0.2"],
    ["average=swa", "average.start=0.1"],
    ["decay.mode=independent", "optimizer=adamw"],
    ["optimizer=nadam", "dtype=float64"],
]
SMALL = ["dataset=wine", "model.hidden=[8]", "batch_size=16", "epochs=3", "checkpoint.every=11"]


def run_with(path: Path, overrides: list[str], stop: bool) -> tuple[Rows, list[torch.Tensor]]:
    run, rows = built(*SMALL, *overrides), Rows()
    torch.manual_seed(5)
    fit_from_checkpoint(run, rows, path, stop)
    model = run.averager.model([]) if run.averager else None
    models = [run.model, model] if model is not None else [run.model]
    return rows, [p.detach() for m in models for p in m.parameters()]


def check(tmp_path: Path, overrides: list[str]) -> None:
    for name in ("never", "stopped"):
        (tmp_path / name).mkdir()
    whole, expected = run_with(tmp_path / "never", overrides, stop=False)
    first, _ = run_with(tmp_path / "stopped", overrides, stop=True)
    assert len(first.step_rows) == 11
    rest, found = run_with(tmp_path / "stopped", overrides, stop=False)
    assert len(whole.step_rows) == len(first.step_rows) + len(rest.step_rows)
    assert whole.step_rows == [*first.step_rows, *rest.step_rows]
    for p, q in zip(found, expected, strict=True):
        assert torch.equal(p, q)
    without_time = [(row[:3], row[4:]) for row in whole.evaluations]
    parts = [*first.evaluations, *rest.evaluations]
    assert without_time == [(row[:3], row[4:]) for row in parts]


@pytest.mark.parametrize("overrides", MECHANICS, ids=" ".join)
def test_every_mechanism(overrides: list[str], tmp_path: Path) -> None:
    check(tmp_path, overrides)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer(name: str, tmp_path: Path) -> None:
    own = {
        # Two function values for every parameter and step.
        "kiefer_wolfowitz": ["model.hidden=[2]"],
        # At lr=1 on mini-batches the last bits of a machine decide whether it diverges.
        "lbfgs": ["lr=0.01", "dtype=float64"],
    }
    check(tmp_path, [f"optimizer={name}", *own.get(name, [])])


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule(name: str, tmp_path: Path) -> None:
    check(tmp_path, [f"schedule={name}", "optimizer=momentum"])
