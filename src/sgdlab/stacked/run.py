"""One run of a stack: its numbers, and how far it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from torch import Tensor
from torch.optim import Optimizer

from sgdlab.optimizers.decay import decay_of
from sgdlab.schedules.base import Schedule
from sgdlab.stacked.rules.base import Rule
from sgdlab.stacked.rules.choose import decay_kind
from sgdlab.training.state import TrainState
from sgdlab.training.summary import Built

DecayKind = Literal["none", "coupled", "decoupled", "independent", "own"]


class Job(Protocol):
    """What the engine needs to know of a run; see `sgdlab.sweep.jobs.Job`."""

    @property
    def settled(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def run_id(self) -> str: ...  # noqa: D102
    @property
    def directory(self) -> Path: ...  # noqa: D102


@dataclass(frozen=True)
class PlainJob:
    """A run that sgdlab's own sweeper has not prepared."""

    settled: dict[str, Any]
    run_id: str
    directory: Path


@dataclass(frozen=True)
class Tensors:
    """What an optimizer does with one parameter.

    Attributes:
        numbers: Settings of the rule.
        lr_multiplier: Factor on the scheduled rate.
        decay: Coefficient ``wd``.
        kind: How the engine applies it: ``g + wd·w``; ``(1 - lr_t·wd)·w``; with the schedule's
            factor instead of ``lr_t``; or ``own``: the rule does.
    """

    numbers: Mapping[str, float]
    lr_multiplier: float
    decay: float
    kind: DecayKind


def tensors_of(
    optimizer: Optimizer, rule: Rule, mode: DecayKind | None, order: Sequence[Tensor]
) -> list[Tensors]:
    """Read what the optimizer of one run does with each of its parameters.

    Args:
        optimizer: Of the run, with its parameter groups.
        rule: Its rule.
        mode: ``decay.mode`` of the config.
        order: The parameters, in the order of the result.
    """
    found: dict[int, Tensors] = {}
    for group in optimizer.param_groups:
        kind = mode or decay_kind(optimizer)
        decay = float(decay_of(group))
        if kind == "own":
            decay = 0.0  # among the numbers
        tensors = Tensors(
            numbers=rule.numbers(group),
            lr_multiplier=group.get("lr_multiplier", 1.0),
            decay=decay,
            kind=kind if decay else "none",
        )
        found |= {id(p): tensors for p in group["params"]}
    return [found[id(p)] for p in order]


@dataclass
class StackedRun:
    """One run of a stack.

    Attributes:
        job: Its config and place.
        lr: Scaled, before the schedule.
        schedule: Shared by runs with the same one, unless it has a state.
        tensors: For each parameter.
        built: What its summary says of it.
        progress: How far it is.
        ended: Its summary is written.
    """

    job: Job
    lr: float
    schedule: Schedule
    tensors: list[Tensors]
    built: Built
    progress: TrainState = field(default_factory=TrainState)
    ended: bool = False

    @property
    def seed(self) -> int:
        """Of the run."""
        return self.job.settled["seed"]

    @property
    def clip_norm(self) -> float | None:
        """Largest gradient norm; None: no clipping."""
        return self.job.settled["clip_norm"]
