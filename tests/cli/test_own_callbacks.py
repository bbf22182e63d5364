"""Callbacks see a run, stop it, add columns, and change nothing else."""

from typing import Any

import pytest
from cli_runs import Cli, refused, rows, same_run, summary, write

from sgdlab.analysis import analyse
from sgdlab.results import read_evals, read_steps

PARTS = """
    import torch

    SEEN = []

    class Watch:
        step_columns = ("norm", "own.twice")
        evaluation_columns = ("gap",)

        def on_step(self, run):
            torch.rand(3)  # draws, which changes nothing of the run
            run.model.eval()
            SEEN.append((run.step, run.epoch, run.loss, run.lr, run.grad_norm))
            if run.step % 2:
                return {"norm": sum(p.square().sum() for p in run.model.parameters()) ** 0.5,
                        "own.twice": 2 * run.loss}

        def on_evaluation(self, run):
            return {"gap": run.val_loss - run.train_loss}

        def on_end(self, run):
            SEEN.append((run.status, run.reason, run.step))

    class StopBelow:
        def __init__(self, below, on="step"):
            self.below, self.on = below, on

        def on_step(self, run):
            if self.on == "step" and run.loss < self.below:
                run.stop(f"loss below {self.below}")

        def on_evaluation(self, run):
            if self.on == "evaluation" and run.train_loss < self.below:
                run.stop("good enough")

    class Counts:
        step_columns = ("calls",)

        def __init__(self):
            self.calls = 0

        def on_step(self, run):
            self.calls += 1
            return {"calls": self.calls}

        def state_dict(self):
            return {"calls": self.calls}

        def load_state_dict(self, state):
            self.calls = state["calls"]

    class KilledAt:
        def on_step(self, run):
            if run.step == 5 and not __import__("os").path.exists("killed"):
                open("killed", "w").close()
                raise MemoryError("once")

    class Fails:
        def __init__(self, hook="on_step", returns=None):
            def fail(run):
                if returns is not None:
                    return returns
                raise ValueError("cannot go on")
            setattr(self, hook, fail)

    class Nothing:
        pass

    class Odd:
        step_columns = ("loss",)
        def on_step(self, run):
            pass
"""


@pytest.fixture
def own(sgdlab: Cli, monkeypatch) -> Cli:
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    write(sgdlab.folder / "parts.py", PARTS)
    return sgdlab


def using(**callbacks: str) -> list[str]:
    return [f"+callbacks.{name}._target_=parts.{kind}" for name, kind in callbacks.items()]


def test_columns_are_what_a_callback_returned_and_nothing_else_changes(own: Cli):
    bare = own.train("bare", "max_steps=4")
    watched = own.train("watched", "max_steps=4", *using(watch="Watch"))
    steps, plain = rows(watched / "steps.csv"), rows(bare / "steps.csv")
    assert list(steps[0])[-2:] == ["norm", "own.twice"]
    without = [{k: v for k, v in row.items() if k not in ("norm", "own.twice")} for row in steps]
    assert without == plain
    twice = [2 * float(row["loss"]) if int(row["step"]) % 2 else None for row in plain]
    assert [float(row["own.twice"]) if row["own.twice"] else None for row in steps] == twice
    evals = rows(watched / "evals.csv")
    assert list(evals[0])[-2:] == ["accuracy", "gap"]
    losses: dict[str, dict[str, float]] = {}
    for row in evals:
        losses.setdefault(row["step"], {})[row["split"]] = float(row["loss"])
    for row in evals:
        own_losses = losses[row["step"]]
        gap = own_losses["val"] - own_losses["train"] if row["split"] == "val" else None
        assert (float(row["gap"]) if row["gap"] else None) == gap
    # Readers of every kind take the tables.
    assert read_steps(watched)["norm"].notna().sum() == 2
    assert read_evals(watched)["gap"].notna().sum() == 3
    assert analyse([watched]).runs.problems == []
    assert own("diagnose", "watched").code == 0


def test_a_callback_sees_the_steps_as_they_are_written(own: Cli, monkeypatch):
    import sys

    monkeypatch.setattr(sys, "path", [str(own.folder), *sys.path])
    import parts  # the object that the run imports, too

    try:
        run = own.train("run", "max_steps=3", *using(watch="Watch"))
        *seen, end = parts.SEEN
    finally:
        del sys.modules["parts"]
    written = [
        tuple(float(row[key]) for key in ("step", "epoch", "loss", "lr", "grad_norm"))
        for row in rows(run / "steps.csv")
    ]
    assert seen == written
    assert end == ("completed", None, 3)


@pytest.mark.parametrize(
    ("on", "reason"), [("step", "loss below 0.9"), ("evaluation", "good enough")]
)
def test_a_run_that_a_callback_stops_has_its_result(own: Cli, on: str, reason: str):
    full = own.train("full", "epochs=20")
    run = own.train(
        "run", "epochs=20", *using(enough="StopBelow"), "+callbacks.enough.below=0.9",
        f"+callbacks.enough.on={on}",
    )  # fmt: skip
    found = summary(run)
    assert (found["status"], found["reason"]) == ("stopped", f"callbacks.enough: {reason}")
    last = int(found["steps"])
    every = rows(full / "steps.csv")
    first = next(int(row["step"]) for row in every if float(row["loss"]) < 0.9)
    if on == "step":
        assert last == first
    assert rows(run / "steps.csv") == every[:last]
    ends = [row for row in rows(run / "evals.csv") if int(row["step"]) == last]
    assert [row["split"] for row in ends] == ["train", "val"]
    assert float(found["final_val_loss"]) == float(ends[1]["loss"])
    # It is finished: the same command trains nothing.
    assert "is finished" in own(
        "train", "dataset=wine", "model=linear", "schedule=constant", "epochs=20",
        "hydra.run.dir=run", *using(enough="StopBelow"), "+callbacks.enough.below=0.9",
        f"+callbacks.enough.on={on}",
    ).err  # fmt: skip


def test_a_run_can_be_stopped_before_its_first_step(own: Cli):
    run = own.train("run", *using(no="StopBelow"), "+callbacks.no.below=99",
                    "+callbacks.no.on=evaluation")  # fmt: skip
    found = summary(run)
    assert (found["status"], found["steps"]) == ("stopped", "0")
    assert rows(run / "steps.csv") == []
    assert float(found["final_val_loss"]) == float(rows(run / "evals.csv")[1]["loss"])


@pytest.mark.slow
def test_a_run_goes_on_with_the_state_of_its_callbacks(own: Cli):
    callbacks = using(counts="Counts", killed="KilledAt")
    command = ("dataset=wine", "model=linear", "schedule=constant", "max_steps=8",
               "checkpoint.every=2", *callbacks)  # fmt: skip
    assert own("train", *command, "hydra.run.dir=run").code == 1
    assert own("train", *command, "hydra.run.dir=run").code == 0
    assert own("train", *command, "hydra.run.dir=whole").code == 0
    assert same_run(own.folder / "run", own.folder / "whole")
    calls = [row["calls"] for row in rows(own.folder / "run/steps.csv")]
    assert [float(each) for each in calls] == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (["+callbacks.bad.hook=on_step"], "callbacks.bad.on_step: ValueError: cannot go on"),
        (["+callbacks.bad.hook=on_evaluation"], "callbacks.bad.on_evaluation: ValueError"),
        (["+callbacks.bad.hook=on_end"], "callbacks.bad.on_end: ValueError: cannot go on"),
        (["+callbacks.bad.returns=3"], "callbacks.bad.on_step: returned int; must be None, or a"),
        (["+callbacks.bad.returns={x:1}"], "callbacks.bad.on_step: returned 'x'; must be None"),
    ],
)  # fmt: skip
def test_a_callback_that_fails_fails_the_run_which_keeps_its_steps(
    own: Cli, settings: list[str], reason: str
):
    result = own(
        "train", "dataset=wine", "model=linear", "schedule=constant", "max_steps=3",
        "hydra.run.dir=run", *using(bad="Fails"), *settings,
    )  # fmt: skip
    assert result.code == 1
    found = summary(own.folder / "run")
    assert found["status"] == "failed"
    assert reason in found["reason"]
    made = len(rows(own.folder / "run/steps.csv"))
    assert made == {"on_evaluation": 0, "on_end": 3}.get(settings[0].rpartition("=")[2], 1)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (using(x="Nothing"), "callbacks.x: has none of on_step, on_evaluation, on_end"),
        (using(x="Odd"), "callbacks.x: the column loss is there already"),
        (using(x="Watch", y="Watch"), "callbacks.y: the column norm is there already"),
        (using(x="Absent"), "callbacks.x: cannot import parts.Absent"),
        (["callbacks=3"], "callbacks=3: must map names to sections with a _target_"),
        (["+callbacks.x=3"], "callbacks.x=3: needs a _target_"),
        (using(x="StopBelow"), "callbacks.x: "),
    ],
)
def test_callbacks_that_cannot_be_meant_are_refused(own: Cli, settings: list[str], line: str):
    assert line in refused(own, "train", *settings)


def test_callbacks_are_part_of_the_id_and_no_callbacks_leave_it_as_it_was(own: Cli):
    bare = summary(own.train("bare", "max_steps=1"))["run_id"]
    one = summary(own.train("one", "max_steps=1", *using(counts="Counts")))["run_id"]
    assert bare != one
    text = (own.folder / "bare/config.yaml").read_text()
    (own.folder / "old").mkdir()
    old = text.replace("callbacks: {}\n", "")
    assert old != text
    (own.folder / "old/config.yaml").write_text(old)
    result = own("train", "--config-dir", "old", "--config-name", "config", "hydra.run.dir=again")
    assert result.code == 0, result.err
    assert summary(own.folder / "again")["run_id"] == bare


def test_runs_with_callbacks_are_not_stacked_and_the_reason_is_said(own: Cli):
    common: list[Any] = ["dataset=wine", "model=linear", "schedule=constant", "max_steps=2"]
    result = own(
        "train", "-m", *common, "seed=0,1", "engine=stacked", "study=s", *using(c="Counts")
    )
    assert "2 of 2 runs train one by one: callbacks (2)" in result.err
    assert {row["engine"] for row in rows(own.folder / "runs/s/runs.csv")} == {"sequential"}
