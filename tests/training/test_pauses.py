"""What a run stops for between two steps: limits, checkpoints by the clock, a word from outside."""

import itertools
import os
import signal
import time
from pathlib import Path

import pytest

from sgdlab import signals
from sgdlab.config.run_id import run_id
from sgdlab.config.validate import validate
from sgdlab.errors import InputError
from sgdlab.results import read_evals, read_steps, read_summary
from sgdlab.steps.plain import PlainUpdate
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training import pauses
from sgdlab.training.folder import RunFolder
from sgdlab.training.run import train_run
from trainer_runs import config_of

SMALL = ("dataset=wine", "model.hidden=[6]", "batch_size=16", "max_steps=40")
FILES = ("steps.csv", "summary.csv", "config.yaml")


def slow(monkeypatch: pytest.MonkeyPatch, at: int, seconds: float) -> None:
    """Have updates take their time from a step on."""
    real = PlainUpdate.step

    def step(self: PlainUpdate, number: int, *arguments):
        if number >= at:
            time.sleep(seconds)
        return real(self, number, *arguments)

    monkeypatch.setattr(PlainUpdate, "step", step)


def ended(folder: Path, *more: str) -> tuple[str, int]:
    """Train a run that fails, and return why and after how many steps, all of them in its file."""
    row = train_run(config_of(*SMALL, *more), folder, NoDisplay())
    assert row["status"] == "failed"
    assert read_steps(folder)["step"].tolist() == list(range(1, row["steps"] + 1))
    assert read_evals(folder)["step"].min() == 0
    assert read_summary(folder) is not None
    return str(row["reason"]), row["steps"]


def test_a_run_that_takes_too_long_fails_and_keeps_its_curve(tmp_path, monkeypatch):
    slow(monkeypatch, 3, 0.2)
    reason, steps = ended(tmp_path, "limits.seconds=0.9", "checkpoint.every=100")
    assert reason.startswith("limits.seconds=0.9: it has taken ")
    assert 3 <= steps < 40
    assert (tmp_path / "checkpoint.pt").is_file(), "a longer limit goes on from here"


def test_a_step_that_hangs_is_broken_off(tmp_path, monkeypatch):
    slow(monkeypatch, 5, 600)
    reason, steps = ended(tmp_path, "limits.seconds=1")
    assert reason.startswith("limits.seconds=1: a step was not over after 2.")
    assert steps == 5
    assert "time.sleep" in (tmp_path / "error.txt").read_text(), "where it hung"


def test_a_run_that_takes_too_much_memory_fails(tmp_path):
    reason, steps = ended(tmp_path, "limits.memory=1M")
    assert reason.startswith("limits.memory=1M: it has taken ")
    assert 1 <= steps < 40


def test_limits_checkpoints_and_a_process_of_its_own_are_no_other_run():
    plain = run_id(config_of(*SMALL))
    watched = ("limits.seconds=9", "limits.memory=8G", "checkpoint.unit=epochs", "isolate=true")
    assert run_id(config_of(*SMALL, *watched)) == plain
    assert run_id(config_of(*SMALL, "limits.loss_factor=9")) != plain


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("limits.seconds=0", "limits.seconds=0.0: must be positive"),
        ("limits.memory=much", "limits.memory=much: must be bytes, such as 4G"),
        ("checkpoint.unit=hours", "checkpoint.unit=hours: "),
    ],
)
def test_impossible_values_are_refused(setting: str, line: str):
    with pytest.raises(InputError) as refusal:
        validate(config_of(*SMALL, setting))
    assert str(refusal.value).startswith(line)


def saves(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that receives the step of every checkpoint."""
    found: list[int] = []
    real = RunFolder.save

    def save(self: RunFolder, state) -> None:
        found.append(state["progress"]["step"])
        real(self, state)

    monkeypatch.setattr(RunFolder, "save", save)
    return found


def test_checkpoints_count_epochs_or_seconds(tmp_path, monkeypatch):
    found = saves(monkeypatch)
    train_run(config_of(*SMALL, "checkpoint.every=2", "checkpoint.unit=epochs"), tmp_path / "e",
              NoDisplay())  # fmt: skip
    per_epoch = read_steps(tmp_path / "e").query("epoch == 1")["step"].max()
    assert found == list(range(2 * per_epoch, 40, 2 * per_epoch))
    found.clear()
    ticks = itertools.count(step=0.25)  # a look at the clock takes a quarter of a second
    monkeypatch.setattr(pauses.time, "monotonic", lambda: next(ticks))
    train_run(config_of(*SMALL, "checkpoint.every=3", "checkpoint.unit=seconds"), tmp_path / "s",
              NoDisplay())  # fmt: skip
    assert 2 <= len(found) <= 6
    steps = [(tmp_path / name / "steps.csv").read_bytes() for name in "es"]
    assert steps[0] == steps[1]


class Tells(NoDisplay):
    """Tells the process to stop at a step."""

    def __init__(self, at: int) -> None:
        self.at = at

    def step(self, step: int, loss: float, lr: float, grad_norm: float) -> None:
        if step == self.at:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("at", [1, 7, 14, 39])
def test_a_run_that_is_told_to_stop_goes_on_to_the_same_files(at: int, tmp_path: Path):
    config = config_of(*SMALL, "checkpoint.every=1000", "model.dropout=0.3", "average=ema")
    train_run(config, tmp_path / "whole", NoDisplay())
    with signals.handled(), pytest.raises(signals.Interrupted):
        train_run(config, tmp_path / "run", Tells(at))
    assert read_summary(tmp_path / "run") is None
    assert len((tmp_path / "run" / "steps.csv").read_text().splitlines()) == 1 + at
    made: list[int] = []
    display = NoDisplay()
    display.step = lambda step, *_: made.append(step)  # type: ignore[method-assign]
    train_run(config, tmp_path / "run", display)
    assert made == list(range(at + 1, 41))
    whole, again = read_evals(tmp_path / "whole"), read_evals(tmp_path / "run")
    assert whole.drop(columns="train_seconds").equals(again.drop(columns="train_seconds"))
    steps = [(tmp_path / name / "steps.csv").read_bytes() for name in ("whole", "run")]
    assert steps[0] == steps[1]


def test_without_checkpoints_it_leaves_none(tmp_path: Path):
    with signals.handled(), pytest.raises(signals.Interrupted):
        train_run(config_of(*SMALL), tmp_path, Tells(7))
    assert not (tmp_path / "checkpoint.pt").exists()
    assert not list(tmp_path.glob(".*"))


def test_a_run_that_ends_as_it_is_told_to_stop_has_ended(tmp_path: Path):
    with signals.handled(), pytest.raises(signals.Interrupted):
        train_run(config_of(*SMALL), tmp_path, Tells(40))
    summary = read_summary(tmp_path)
    assert summary is None or summary["status"] == "completed"
