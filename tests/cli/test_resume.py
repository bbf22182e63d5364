"""A run killed at any instant and started again ends as one that was never killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import Cli, rows, same_run, summary

from sgdlab.signals import Interrupted
from sgdlab.terminal.run_display import RunDisplay

# 106 examples in batches of 32: 4 updates an epoch, 24 in all. Dropout draws from the run's own
# stream, momentum has state, and the schedule depends on the step.
RUN = (
    "model=mlp", "model.hidden=[8]", "model.dropout=0.5", "optimizer=momentum", "batch_size=32",
    "epochs=6", "schedule=cosine", "schedule.warmup_epochs=1", "seed=2", "evaluate_test=true",
    "threads=1",
)  # fmt: skip
EVERY_3 = ("checkpoint.every=3",)

# Each child of one process runs the command and is killed where its name says.
KILLER = """
import os, signal, sys
import torch
from sgdlab import cli
from sgdlab.commands import train
from sgdlab.terminal.run_display import RunDisplay
from sgdlab.training import folder
from sgdlab.training.folder import RunFolder

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def at_step(n):
    RunDisplay.step = lambda self, step, *_: step == n and die()

def after_evaluation(n):
    seen = []
    RunDisplay.step = lambda self, step, *_: seen.append(step)
    RunDisplay.evaluated = lambda self, metric: seen[-1:] == [n] and die()

def before_checkpoint(n):
    real = RunFolder.save
    def save(self, state):
        die() if state["progress"]["step"] == n else real(self, state)
    RunFolder.save = save

def within_checkpoint(n):
    saved = []
    def half(state, file):
        saved.append(1)
        if len(saved) == n // 3:
            file.write(b"PK half of it")
            file.flush()
            die()
        real(state, file)
    real, torch.save = torch.save, half

def before_summary(_):
    folder.write_summary = die

# Once in the parent, so that no child has to import what the first run imports; without threads,
# which a fork does not copy.
sys.argv = ["sgdlab", "train", "hydra.run.dir=first", *{common!r}]
cli.main()
for place, where, n, *arguments in {plan!r}:
    child = os.fork()
    if child == 0:
        globals()[where](n)
        sys.argv = ["sgdlab", "train", f"hydra.run.dir={{place}}", *arguments]
        os._exit(cli.main())
    _, status = os.waitpid(child, 0)
    print(place, os.WTERMSIG(status))
"""

KILLS = [
    # where, step, first step after the restart (None: what is left may be nothing)
    ("at_step", 2, 1),  # before the first checkpoint
    ("at_step", 11, 10),  # within an epoch
    ("after_evaluation", 8, 7),  # at an epoch's end, written and not in a checkpoint
    ("before_checkpoint", 12, 10),  # at an epoch's end where a checkpoint is due
    ("within_checkpoint", 9, 7),  # with half a checkpoint written
    ("before_summary", 24, None),  # with everything done but the summary
]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A working directory with an undisturbed run, and one killed at each place of ``KILLS``."""
    cli = Cli(tmp_path_factory.mktemp("kills") / "here")
    cli.train("whole", *RUN)
    common = ("dataset=wine", *RUN)
    plan = [(f"{where}-{n}", where, n, *common, *EVERY_3) for where, n, _ in KILLS]
    plan.append(("unsaved", "at_step", 9, *common))
    done = subprocess.run(
        [sys.executable, "-c", KILLER.format(plan=plan, common=common)],
        cwd=cli.folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    ends = [line for line in done.stdout.splitlines() if line.split()[0] in {p[0] for p in plan}]
    assert ends == [f"{folder} {signal.SIGKILL.value}" for folder, *_ in plan], done.stderr
    return cli


def restart(cli: Cli, monkeypatch, folder: str, *arguments: str) -> list[int]:
    """Start a killed run again; return the steps that it made."""
    made: list[int] = []
    real = RunDisplay.step

    def step(self, number: int, *values: float) -> None:
        made.append(number)
        real(self, number, *values)

    monkeypatch.setattr(RunDisplay, "step", step)
    cli.train(folder, *RUN, *arguments)
    return made


@pytest.mark.parametrize(("where", "step", "first"), KILLS)
def test_a_killed_run_continues_to_the_same_files(here: Cli, monkeypatch, where, step, first):
    folder = here.folder / f"{where}-{step}"
    assert not (folder / "summary.csv").exists()
    made = restart(here, monkeypatch, folder.name, *EVERY_3)
    assert made == list(range(first or 25 - len(made), 25))
    assert first is not None or len(made) <= 3
    assert same_run(here.folder / "whole", folder)
    assert not (folder / "checkpoint.pt").exists()


def test_without_a_checkpoint_a_killed_run_starts_over(here: Cli, monkeypatch):
    assert restart(here, monkeypatch, "unsaved") == list(range(1, 25))
    assert same_run(here.folder / "whole", here.folder / "unsaved")


def interrupted(cli: Cli, monkeypatch, at: int, *arguments: str):
    def step(self, number: int, *_: float) -> None:
        if number == at:
            raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(RunDisplay, "step", step)
        return cli("train", "dataset=wine", "hydra.run.dir=run", *RUN, *arguments)


def test_an_interrupted_run_says_so_and_leaves_no_summary(sgdlab: Cli, monkeypatch):
    result = interrupted(sgdlab, monkeypatch, 10, *EVERY_3)
    assert result.code == 130
    assert result.err.splitlines()[-1].startswith("sgdlab: interrupted")
    assert not (sgdlab.folder / "run" / "summary.csv").exists()
    assert (sgdlab.folder / "run" / "checkpoint.pt").exists()


def test_training_time_goes_on_where_it_stopped(sgdlab: Cli, monkeypatch):
    interrupted(sgdlab, monkeypatch, 22, *EVERY_3)
    before = [float(r["train_seconds"]) for r in rows(sgdlab.folder / "run" / "evals.csv")]
    run = sgdlab.train("run", *RUN, *EVERY_3)
    after = [float(r["train_seconds"]) for r in rows(run / "evals.csv")]
    assert after[: len(before)] == before
    assert after == sorted(after)
    assert float(summary(run)["train_seconds"]) > before[-1]


def test_the_checkpoint_of_another_run_is_not_continued(sgdlab: Cli, monkeypatch, here: Cli):
    interrupted(sgdlab, monkeypatch, 10, *EVERY_3, "optimizer.momentum=0.5")
    assert restart(sgdlab, monkeypatch, "run", *EVERY_3) == list(range(1, 25))
    assert same_run(here.folder / "whole", sgdlab.folder / "run")


def test_resume_false_starts_over(sgdlab: Cli, monkeypatch):
    interrupted(sgdlab, monkeypatch, 10, *EVERY_3)
    assert restart(sgdlab, monkeypatch, "run", *EVERY_3, "resume=false") == list(range(1, 25))


def test_a_checkpoint_holds_plain_values_only(sgdlab: Cli, monkeypatch):
    import torch

    interrupted(sgdlab, monkeypatch, 10, *EVERY_3)
    state = torch.load(sgdlab.folder / "run" / "checkpoint.pt", weights_only=True)
    assert state["progress"]["step"] == 9
    assert os.listdir(Path(sgdlab.folder / "run")).count(".checkpoint.pt.part") == 0
