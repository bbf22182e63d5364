"""Runs trained by both engines, for the tests of the stacked one."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sgdlab.config.job import Job
from sgdlab.config.run_id import run_id
from sgdlab.stacked.group import Group, StackPlanner
from sgdlab.stacked.launch import train_group
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.run import train_run
from trainer_runs import config_of


def job(folder: Path, *overrides: str) -> Job:
    """Return a run of the shipped config with overrides."""
    config = config_of(*overrides)
    identity = run_id(config)
    return Job(config, identity, folder / identity)


def jobs(folder: Path, common: Sequence[str], varied: Sequence[Sequence[str]]) -> list[Job]:
    """Return runs that share some overrides."""
    return [job(folder, *common, *own) for own in varied]


def grouped(runs: Sequence[Job]) -> tuple[StackPlanner, Group]:
    """Return the one group that the runs form."""
    planner = StackPlanner()
    groups, others = planner.of(runs)
    assert not others, others
    (group,) = groups
    return planner, group


def train_stacked(runs: Sequence[Job]) -> None:
    """Train runs that form one group."""
    planner, group = grouped(runs)
    train_group(planner, group, runs)
    for run in runs:
        error = run.directory / "error.txt"
        assert not error.is_file(), error.read_text()


def train_one_by_one(folder: Path, runs: Sequence[Job]) -> list[Job]:
    """Train the same runs by the ordinary trainer, into another folder."""
    others = [Job(run.config, run.run_id, folder / run.run_id) for run in runs]
    for run in others:
        train_run(run.config, run.directory, NoDisplay())
    return others


def table(run: Job, name: str) -> pd.DataFrame:
    """Return a table of a run, text as it stands."""
    return pd.read_csv(run.directory / name)
