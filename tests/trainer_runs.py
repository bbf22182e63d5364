"""Runs of the trainer without a command line and without files."""

import copy
import functools
from pathlib import Path

import torch

from sgdlab.config.compose.one import compose_run
from sgdlab.config.schema import RunConfig
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training import checkpoint
from sgdlab.training.build import Run, build_run
from sgdlab.training.folder import RunFolder
from sgdlab.training.loop import fit
from sgdlab.training.state import Outcome, TrainState


class Rows:
    """Keeps the rows that a run would write."""

    def __init__(self) -> None:
        self.step_rows: list[tuple] = []
        self.evaluations: list[tuple] = []

    def steps(self, rows: list[tuple]) -> None:
        self.step_rows.extend(rows)

    def evaluation(self, row: tuple) -> None:
        self.evaluations.append(row)


def config_of(*overrides: str) -> RunConfig:
    return copy.deepcopy(_composed(overrides))


@functools.lru_cache(maxsize=64)
def _composed(overrides: tuple[str, ...]) -> RunConfig:
    return compose_run(*overrides)


def built(*overrides: str) -> Run:
    return build_run(config_of(*overrides))


def train(*overrides: str) -> tuple[Outcome, Rows, Run]:
    run, rows = built(*overrides), Rows()
    return fit(run, rows, NoDisplay()), rows, run


class Stopped(Exception):
    """Stands for a kill."""


def fit_from_checkpoint(run: Run, rows: Rows, path: Path, stop: bool) -> None:
    """Train on from the checkpoint in a folder, if there is one; stop once one is written."""
    folder, state = RunFolder(path, "id", "sequential"), TrainState()

    def save(now: TrainState) -> None:
        folder.save(checkpoint.state_of(run, now))
        if stop:
            raise Stopped

    if (saved := folder.load()) is not None:
        checkpoint.restore(saved, run, state)
    try:
        fit(run, rows, NoDisplay(), state, save)
    except Stopped:
        # What runs next starts from another place of the stream, as after a kill.
        torch.manual_seed(6)
