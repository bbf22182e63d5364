"""A run goes on from the newest checkpoint that is whole, with its rows, or starts again."""

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from cli_runs import same_run

from sgdlab.errors import InputError
from sgdlab.results import RunWriter, read_steps, read_summary
from sgdlab.steps.plain import PlainUpdate
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training import checkpoint_files, steplog
from sgdlab.training.checkpoint_files import read_tensors
from sgdlab.training.run import train_run
from sgdlab.training.steplog import StepLog
from trainer_runs import config_of

RUN = ("dataset=wine", "model.hidden=[6]", "batch_size=16", "max_steps=40", "checkpoint.every=9")
SAVED = {"checkpoint.pt": 27, "checkpoint.previous.pt": 18}


def killed_at(step: int, folder: Path, patch: pytest.MonkeyPatch, *more: str) -> None:
    real = StepLog.add

    def killed(self: StepLog, at: Any, *values: Any) -> None:
        if at.step == step:
            raise KeyboardInterrupt
        real(self, at, *values)

    with patch.context() as own:
        own.setattr(StepLog, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            train_run(config_of(*RUN, *more), folder, NoDisplay())


def made_steps(folder: Path, patch: pytest.MonkeyPatch, *more: str) -> list[int]:
    """Start a run again; return the steps that it made."""
    made: list[int] = []
    real = PlainUpdate.step

    def step(self: PlainUpdate, number: int, *arguments: Any):
        made.append(number + 1)
        return real(self, number, *arguments)

    with patch.context() as own:
        own.setattr(PlainUpdate, "step", step)
        train_run(config_of(*RUN, *more), folder, NoDisplay())
    return made


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    train_run(config_of(*RUN), folder, NoDisplay())
    return folder


@pytest.fixture(scope="module")
def half(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("half")
    with pytest.MonkeyPatch.context() as patch:
        killed_at(31, folder, patch)
    return folder


@pytest.fixture
def run(half: Path, tmp_path: Path) -> Path:
    """A run that was killed at step 31, with two checkpoints."""
    shutil.copytree(half, tmp_path / "run")
    return tmp_path / "run"


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(bytes(content))


def cut(path: Path, size: int = 300) -> None:
    path.write_bytes(path.read_bytes()[:size])


def test_two_checkpoints_are_kept_and_none_at_the_end(run: Path, whole: Path) -> None:
    for name, step in SAVED.items():
        state = read_tensors(run / name)
        assert state is not None
        assert state["progress"]["step"] == step
    assert not list(whole.glob("checkpoint*"))


@pytest.mark.parametrize(
    ("damages", "first", "said"),
    [
        ([], 28, None),
        ([lambda run: flipped(run / "checkpoint.pt")], 19, "checkpoint.pt is damaged"),
        ([lambda run: cut(run / "checkpoint.pt")], 19, "goes on from step 18"),
        ([lambda run: (run / "checkpoint.pt").write_bytes(b"")], 19, "checkpoint.pt is damaged"),
        ([lambda run: (run / "checkpoint.pt").unlink()], 19, None),
        ([lambda run: flipped(run / "checkpoint.previous.pt")], 28, None),
        ([lambda run: [flipped(run / name) for name in SAVED]], 1, "the run starts again"),
        ([lambda run: cut(run / "steps.csv")], 1, "steps.csv is damaged (300 bytes, "),
        ([lambda run: (run / "steps.csv").unlink()], 1, "steps.csv is missing"),
        ([lambda run: cut(run / "evals.csv", 200)], 1, "evals.csv is damaged (200 bytes, "),
    ],
)
def test_a_damaged_run_ends_as_the_undamaged_one(
    run: Path, whole: Path, monkeypatch, capsys, damages, first: int, said: str | None
) -> None:
    for damage in damages:
        damage(run)
    assert made_steps(run, monkeypatch) == list(range(first, 41))
    err = capsys.readouterr().err
    assert said in err if said else err == ""
    assert err.count("\n") == (said is not None)
    assert same_run(run, whole)


def test_rows_of_which_only_the_newest_checkpoint_knows_cost_that_one(
    run: Path, whole: Path, monkeypatch, capsys
) -> None:
    rows = (run / "steps.csv").read_bytes().splitlines(keepends=True)
    (run / "steps.csv").write_bytes(b"".join(rows[:23]))
    assert made_steps(run, monkeypatch) == list(range(19, 41))
    assert "steps.csv is damaged" in capsys.readouterr().err
    assert same_run(run, whole)


def test_what_comes_after_the_rows_of_a_checkpoint_does_not_matter(
    run: Path, whole: Path, monkeypatch, capsys
) -> None:
    with (run / "steps.csv").open("ab") as file:
        file.write(b"5,1,2,3,4,5,6\n\xa6\0\0")
    assert made_steps(run, monkeypatch) == list(range(28, 41))
    assert capsys.readouterr().err == ""
    assert same_run(run, whole)


def test_a_damaged_checkpoint_does_not_take_the_place_of_the_good_one(run: Path, monkeypatch):
    flipped(run / "checkpoint.pt")
    killed_at(29, run, monkeypatch)
    steps = [read_tensors(run / name)["progress"]["step"] for name in SAVED]  # type: ignore[index]
    assert steps == [27, 18]


@pytest.mark.parametrize("lost", [False, True])
def test_an_older_checkpoint_knows_the_number_of_its_rows(
    run: Path, whole: Path, monkeypatch, capsys, lost: bool
) -> None:
    (run / "checkpoint.previous.pt").unlink()
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    del state["tables"]
    torch.save(state, run / "checkpoint.pt")
    if lost:
        rows = (run / "steps.csv").read_bytes().splitlines(keepends=True)
        (run / "steps.csv").write_bytes(b"".join(rows[:12] + rows[13:]))
    assert made_steps(run, monkeypatch) == list(range(1 if lost else 28, 41))
    assert ("a row for each of 27 steps expected" in capsys.readouterr().err) == lost
    assert same_run(run, whole)


@pytest.mark.parametrize("error", [OSError(errno.EIO, "I/O error"), MemoryError()])
def test_a_checkpoint_that_cannot_be_read_now_is_no_damage(
    run: Path, whole: Path, monkeypatch, error: Exception
) -> None:
    def unreadable(*_: Any, **__: Any) -> None:
        raise error

    with monkeypatch.context() as own:
        own.setattr(checkpoint_files.torch, "load", unreadable)
        row = train_run(config_of(*RUN), run, NoDisplay())
    assert row["status"] == "failed"
    assert all((run / name).is_file() for name in SAVED)
    assert made_steps(run, monkeypatch) == list(range(28, 41))
    assert same_run(run, whole)


def test_a_foreign_file_called_checkpoint_is_not_taken(run: Path, whole: Path, monkeypatch):
    torch.save([1, 2], run / "checkpoint.pt")
    assert made_steps(run, monkeypatch)[0] == 1
    assert same_run(run, whole)


def test_a_folder_in_the_place_of_a_file_is_refused_by_name(run: Path):
    (run / "evals.csv").unlink()
    (run / "evals.csv").mkdir()
    with pytest.raises(InputError, match=r"evals\.csv: a folder, where a run writes a file"):
        train_run(config_of(*RUN), run, NoDisplay())


@pytest.mark.parametrize(
    "damage",
    [
        lambda run: cut(run / "summary.csv"),
        lambda run: cut(run / "steps.csv"),
        lambda run: (run / "evals.csv").unlink(),
        lambda run: (run / "config.yaml").write_text("lr: 3\n"),
        lambda run: (run / "manifest.json").write_text(""),
    ],
)
def test_a_finished_run_that_is_damaged_is_made_anew(
    whole: Path, tmp_path: Path, capsys, damage: Callable[[Path], None]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    damage(run)
    train_run(config_of(*RUN), run, NoDisplay())
    assert "made anew" in capsys.readouterr().err
    assert same_run(run, whole)


def test_a_damaged_environment_is_told_and_the_results_stay(whole: Path, tmp_path: Path, capsys):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    cut(run / "environment.json")
    before = (run / "steps.csv").stat().st_mtime_ns
    train_run(config_of(*RUN), run, NoDisplay())
    assert "its results stay" in capsys.readouterr().err
    assert (run / "steps.csv").stat().st_mtime_ns == before


def failing_at(step: int, patch: pytest.MonkeyPatch, block: int) -> None:
    """Fail in a step, with values that are read back in blocks, as on a GPU."""
    real = PlainUpdate.step

    def failing(self: PlainUpdate, number: int, *arguments: Any):
        if number == step - 1:
            raise RuntimeError("lost")
        return real(self, number, *arguments)

    patch.setattr(steplog, "_READ_EVERY", {"cpu": block})
    patch.setattr(PlainUpdate, "step", failing)


def test_rows_that_were_not_read_back_before_a_failure_are_written(tmp_path: Path, monkeypatch):
    failing_at(20, monkeypatch, block=64)
    row = train_run(config_of(*RUN[:-1]), tmp_path, NoDisplay())
    assert (row["status"], row["steps"]) == ("failed", 19)
    assert read_steps(tmp_path)["step"].tolist() == list(range(1, 20))


def test_a_failure_after_the_divergence_that_caused_it_is_one(tmp_path: Path, monkeypatch):
    failing_at(6, monkeypatch, block=64)
    row = train_run(config_of(*RUN[:-1], "lr=1e12"), tmp_path, NoDisplay())
    assert row["status"] == "diverged"
    assert row["steps"] == len(read_steps(tmp_path)) < 5


def test_a_failure_between_a_step_and_its_row_claims_the_rows(tmp_path: Path, monkeypatch):
    real = StepLog.add

    def failing(self: StepLog, at: Any, *values: Any) -> None:
        if at.step == 12:
            raise RuntimeError("lost")
        real(self, at, *values)

    monkeypatch.setattr(StepLog, "add", failing)
    row = train_run(config_of(*RUN), tmp_path, NoDisplay())
    assert (row["status"], row["steps"], row["examples"]) == ("failed", 11, 170)
    assert len(read_steps(tmp_path)) == 11
    assert read_summary(tmp_path) is not None
    assert (tmp_path / "checkpoint.pt").is_file()


def test_rows_that_a_full_disk_did_not_take_are_not_claimed(tmp_path: Path, monkeypatch):
    real = RunWriter.steps

    def full(self: RunWriter, rows: list[tuple]) -> None:
        real(self, rows[:2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(RunWriter, "steps", full)
    row = train_run(config_of(*RUN), tmp_path, NoDisplay())
    assert (row["status"], row["steps"], row["examples"]) == ("failed", 2, 32)
    assert len(read_steps(tmp_path)) == 2
