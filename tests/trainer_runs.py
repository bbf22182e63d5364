"""Runs of the trainer without a command line and without files."""

import copy
import functools

from omegaconf import DictConfig

from sgdlab.config.compose.one import compose_run
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.build import Run, build_run
from sgdlab.training.loop import fit
from sgdlab.training.state import Outcome


class Rows:
    """Keeps the rows that a run would write."""

    def __init__(self) -> None:
        self.step_rows: list[tuple] = []
        self.evaluations: list[tuple] = []

    def steps(self, rows: list[tuple]) -> None:
        self.step_rows.extend(rows)

    def evaluation(self, row: tuple) -> None:
        self.evaluations.append(row)


def config_of(*overrides: str) -> DictConfig:
    return copy.deepcopy(_composed(overrides))


@functools.lru_cache(maxsize=64)
def _composed(overrides: tuple[str, ...]) -> DictConfig:
    return compose_run(*overrides)


def built(*overrides: str) -> Run:
    return build_run(config_of(*overrides))


def train(*overrides: str) -> tuple[Outcome, Rows, Run]:
    run, rows = built(*overrides), Rows()
    return fit(run, rows, NoDisplay()), rows, run
