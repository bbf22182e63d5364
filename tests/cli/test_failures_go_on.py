"""A run that failed goes on from its checkpoint, wherever it failed, in either engine."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from cli_runs import Cli, same_run, summary

from sgdlab.results import BlockWriter, RunWriter
from sgdlab.stacked import evaluator as stacked_evaluator
from sgdlab.stacked.stack import Stack
from sgdlab.steps.plain import PlainUpdate
from sgdlab.training import evaluator
from sgdlab.training.folder import RunFolder

# 106 examples in batches of 32: 4 updates an epoch, 16 in all; checkpoints after 3, 6, 9, …
COMMON = (
    "train", "-m", "dataset=wine", "model=mlp", "model.hidden=[6]", "model.dropout=0.3",
    "batch_size=32", "epochs=4", "schedule.warmup_epochs=0", "checkpoint.every=3", "lr=0.1,0.2",
)  # fmt: skip


def at_call(number: int, error: Exception, real: Callable) -> Callable:
    """Return a function that raises once, at a call; it counts those of each first argument."""
    calls = 0

    def failing(*arguments, **named):
        nonlocal calls
        calls += 1
        if calls == number:
            raise error
        return real(*arguments, **named)

    return failing


FULL = OSError(errno.ENOSPC, "No space left on device")
MEMORY = torch.OutOfMemoryError("CUDA out of memory")
PLACES = {
    "sequential": [
        (PlainUpdate, "step", 8, OSError("stale file handle")),
        (PlainUpdate, "step", 8, MEMORY),
        (evaluator, "evaluate", 7, RuntimeError("cannot be evaluated")),
        (RunWriter, "steps", 3, FULL),
        (RunFolder, "save", 3, FULL),
    ],
    "stacked": [
        (Stack, "step", 8, OSError("stale file handle")),
        (stacked_evaluator, "evaluate", 7, RuntimeError("cannot be evaluated")),
        (BlockWriter, "steps", 7, FULL),
        (RunFolder, "save", 5, FULL),
    ],
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an undisturbed sweep of each engine."""
    cli = Cli(tmp_path_factory.mktemp("whole") / "here")
    for engine in PLACES:
        result = cli(*COMMON, f"engine={engine}", f"study={engine}")
        assert result.code == 0, result.err
    return cli.folder / "runs"


@pytest.mark.parametrize(
    ("engine", "owner", "name", "number", "error"),
    [(engine, *place) for engine, places in PLACES.items() for place in places],
)
def test_it_goes_on_to_the_same_files(
    engine: str,
    owner: object,
    name: str,
    number: int,
    error: Exception,
    whole: Path,
    sgdlab: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = (*COMMON, f"engine={engine}")
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, at_call(number, error, getattr(owner, name)))
        failed = sgdlab(*command, "study=failed")
    assert failed.code == 1, failed.err
    folders = {f.name: f for f in (sgdlab.folder / "runs" / "failed").glob("r*/")}
    ends = {name: summary(folder)["status"] for name, folder in folders.items()}
    assert "failed" in ends.values()
    loaded: list[int] = []
    real = RunFolder.load

    def load(self: RunFolder, *arguments):
        state = real(self, *arguments)
        loaded.append(state["progress"]["step"] if state else 0)
        return state

    monkeypatch.setattr(RunFolder, "load", load)
    again = sgdlab(*command, "study=failed")
    assert again.code == 0, again.err
    assert loaded, "nothing was left to do"
    assert min(loaded) >= 3, "a checkpoint was lost"
    for name, folder in folders.items():
        assert same_run(folder, whole / engine / name, "study")
        assert not list(folder.glob(".*.part"))
        assert not (folder / "checkpoint.pt").exists()
        assert not (folder / "error.txt").exists()
