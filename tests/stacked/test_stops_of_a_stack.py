"""Stacks that are told to stop, whose runs have limits, and one of whose runs misbehaves."""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from stacked_runs import grouped, jobs, train_stacked

from sgdlab import signals
from sgdlab.config.job import Job
from sgdlab.results import read_steps, read_summary
from sgdlab.stacked.launch import train_group
from sgdlab.stacked.stack import Stack

COMMON = ("dataset=wine", "model.hidden=[6]", "batch_size=16", "max_steps=40", "eval.every=2")
TWO = [["seed=0"], ["seed=1"]]
TABLES = ("steps.csv", "evals.csv", "summary.csv", "config.yaml")


def _bytes(runs: list[Job]) -> list[list[bytes]]:
    return [[(run.directory / name).read_bytes() for name in TABLES] for run in runs]


def at_step(monkeypatch: pytest.MonkeyPatch, number: int, deed) -> None:
    """Do something in a step of a stack."""
    real, made = Stack.step, []

    def step(self: Stack, *arguments):
        made.append(1)
        if len(made) == number:
            deed()
        return real(self, *arguments)

    monkeypatch.setattr(Stack, "step", step)


@pytest.mark.parametrize("at", [1, 10, 14])
def test_a_stack_that_is_told_to_stop_goes_on_to_the_same_bytes(at, tmp_path, monkeypatch):
    common = (*COMMON, "checkpoint.every=1000", "model.dropout=0.3")
    whole = jobs(tmp_path / "a", common, TWO)
    train_stacked(whole)
    runs = jobs(tmp_path / "b", common, TWO)
    at_step(monkeypatch, at, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with signals.handled(), pytest.raises(signals.Interrupted):
        train_stacked(runs)
    monkeypatch.undo()
    for run in runs:
        assert read_summary(run.directory) is None
        assert len((run.directory / "steps.csv").read_text().splitlines()) == 1 + at
    train_stacked(runs)
    assert _bytes(runs) == _bytes(whole)


def test_a_run_of_a_stack_has_its_share_of_the_time(tmp_path):
    runs = jobs(tmp_path, COMMON, [["seed=0", "limits.seconds=0.000001"], ["seed=1"]])
    planner, group = grouped(runs)
    train_group(planner, group, runs)
    first, second = (read_summary(run.directory) for run in runs)
    assert first is not None
    assert second is not None
    assert first["status"] == "failed"
    assert str(first["reason"]).startswith("limits.seconds=1e-06: it has taken ")
    assert len(read_steps(runs[0].directory)) == first["steps"] > 0
    assert second["status"] == "completed"


@pytest.mark.parametrize("error", [SystemExit(0), GeneratorExit()])
def test_whatever_ends_a_stack_fails_its_runs(error: BaseException, tmp_path, monkeypatch):
    runs = jobs(tmp_path, COMMON, TWO)
    planner, group = grouped(runs)

    def deed() -> None:
        torch.set_default_dtype(torch.float64)
        raise error

    at_step(monkeypatch, 5, deed)
    train_group(planner, group, runs)
    assert torch.get_default_dtype() is torch.float32
    for run in runs:
        summary = read_summary(run.directory)
        assert summary is not None
        assert summary["status"] == "failed"
        assert str(summary["reason"]).startswith(type(error).__name__)
        assert len(read_steps(run.directory)) == 4


SCHEDULE = """
class Bad:
    def __init__(self, at):
        self.at = at
    def __call__(self, step, total_steps, steps_per_epoch):
        if step == self.at:
            raise RuntimeError("no rate here")
        return 1.0
"""


def test_a_schedule_that_fails_takes_no_other_run_with_it(tmp_path: Path, monkeypatch):
    (tmp_path / "bad_schedule.py").write_text(SCHEDULE)
    monkeypatch.syspath_prepend(tmp_path)
    own = ("schedule=constant",)
    made = jobs(tmp_path / "runs", (*COMMON, *own), [["seed=0"], ["seed=1"], ["seed=2"]])
    ends = [99, 20, 99]
    runs = [
        Job(
            replace(run.config, schedule={"_target_": "bad_schedule.Bad", "at": at}),
            f"r{number}",
            tmp_path / f"r{number}",
        )
        for number, (run, at) in enumerate(zip(made, ends, strict=True))
    ]
    planner, group = grouped(runs)
    train_group(planner, group, runs)
    found = [read_summary(run.directory) for run in runs]
    assert [row and row["status"] for row in found] == ["completed", "failed", "completed"]
    assert found[1] is not None
    assert str(found[1]["reason"]).startswith("RuntimeError: no rate here at ")
    assert "bad_schedule.py:" in str(found[1]["reason"])
    sys.modules.pop("bad_schedule", None)
