"""Runs of the real trainer on chosen problems, with every iterate kept."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sgdlab.config.compose.one import compose_run
from sgdlab.config.schema import RunConfig
from sgdlab.datasets.base import Dataset
from sgdlab.results import Cell
from sgdlab.steps.base import MicroBatches, StepValues, Update
from sgdlab.steps.streams import seeded
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.build import Run, build_run
from sgdlab.training.loop import fit
from sgdlab.training.state import Outcome

# What theory assumes unless it says otherwise.
_PLAIN = (
    "dtype=float64", "schedule=constant", "batch_size=full", "eval.every=1000000000",
    "limits.loss_factor=null", "threads=1", "device=cpu",
)  # fmt: skip


@dataclass
class Trajectory:
    """What a run of ``T`` steps leaves.

    Attributes:
        run: The run as it was built.
        outcome: What the trainer returned.
        rows: The rows of ``steps.csv``.
        evaluations: The rows of ``evals.csv``.
        iterates: Parameters in one vector before each step and at the end, ``[T + 1, d]``.
    """

    run: Run
    outcome: Outcome
    rows: list[tuple[Cell, ...]]
    evaluations: list[tuple[Cell, ...]]
    iterates: Tensor

    def column(self, name: str) -> list[float]:
        """Return a column of ``steps.csv``: lr, loss, grad_norm or clip_coef."""
        index = ("step", "epoch", "examples", "lr", "loss", "grad_norm", "clip_coef").index(name)
        return [float(row[index]) for row in self.rows]  # type: ignore[arg-type]


@dataclass
class _Rows:
    step_rows: list[tuple[Cell, ...]] = field(default_factory=list[tuple[Cell, ...]])
    evaluations: list[tuple[Cell, ...]] = field(default_factory=list[tuple[Cell, ...]])

    def steps(self, rows: list[tuple[Cell, ...]]) -> None:
        self.step_rows.extend(rows)

    def evaluation(self, row: tuple[Cell, ...]) -> None:
        self.evaluations.append(row)


@dataclass
class _RecordedUpdate:
    """Passes on to the run's own update and keeps the parameters after each ``every`` steps."""

    own: Update
    run: Run
    every: int
    iterates: list[Tensor] = field(default_factory=list[Tensor])

    def keep(self) -> None:
        self.iterates.append(parameters(self.run))

    def step(
        self, step: int, update: MicroBatches, lr: float, momentum: float | None
    ) -> StepValues:
        values = self.own.step(step, update, lr, momentum)
        if (step + 1) % self.every == 0:
            self.keep()
        return values

    def sync_weights(self) -> None:
        self.own.sync_weights()

    def state_dict(self) -> dict[str, Any]:
        return self.own.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.own.load_state_dict(state)


def config_of(*overrides: str) -> RunConfig:
    """Return a resolved config: the defaults of theory, then ``overrides`` as on a command line."""
    return compose_run(*_PLAIN, *overrides)


def parameters(run: Run) -> Tensor:
    """Return all trainable parameters in one vector, a copy."""
    return torch.cat([p.detach().reshape(-1) for p in run.objective.parameters])


def train(
    *overrides: str, data: Dataset | None = None, start: Tensor | None = None, every: int = 1
) -> Trajectory:
    """Train as ``sgdlab train`` does, files aside.

    Args:
        overrides: Overrides as typed, after the theory's defaults (float64, constant learning
            rate, full batches, no evaluation on the way).
        data: A dataset to use instead of the config's.
        start: Initial parameters in one vector; by default the model's own.
        every: Steps between two iterates that are kept.
    """
    run = build_run(config_of(*overrides), data=data)
    if start is not None:
        torch.nn.utils.vector_to_parameters(start, run.objective.parameters)
    recorded = _RecordedUpdate(run.update, run, every)
    recorded.keep()
    run.update = recorded
    rows = _Rows()
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)  # more only wait for each other on such small problems
        with seeded(run.config.seed, devices=[]):
            outcome = fit(run, rows, NoDisplay())
    finally:
        torch.set_num_threads(threads)
    return Trajectory(
        run, outcome, rows.step_rows, rows.evaluations, torch.stack(recorded.iterates)
    )
