"""One run of a stack: its numbers, and how far it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor
from torch.optim import Optimizer

from sgdlab.config.schema import RunConfig
from sgdlab.errors import reason_of
from sgdlab.optimizers.decay import decay_of
from sgdlab.results import FAILED
from sgdlab.schedules.base import Schedule
from sgdlab.stacked.rules.base import Rule
from sgdlab.stacked.rules.choose import decay_kind
from sgdlab.training.folder import RunFolder
from sgdlab.training.state import Outcome, TrainState
from sgdlab.training.summary import Built, summary_of

DecayKind = Literal["none", "coupled", "decoupled", "independent", "own"]


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
        config: Its resolved config.
        folder: The folder that it writes into.
        lr: Scaled, before the schedule.
        schedule: Shared by runs with the same one, unless it has a state.
        tensors: What its optimizer does with each parameter.
        built: What its summary says of it.
        progress: How far it is.
        ended: Its summary is written.
    """

    config: RunConfig
    folder: RunFolder
    lr: float
    schedule: Schedule
    tensors: list[Tensors]
    built: Built
    progress: TrainState = field(default_factory=TrainState)
    ended: bool = False

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self.config.seed

    @property
    def clip_norm(self) -> float | None:
        """The largest gradient norm; None: no clipping."""
        return self.config.clip_norm

    def end(self, outcome: Outcome) -> None:
        """Write the summary of the run, which has ended."""
        self.ended = True
        self.folder.end(summary_of(self.config, outcome, self.built, self.folder))

    def fail(self, error: Exception) -> None:
        """Write the summary of the run, which an error has ended, and the traceback."""
        if not self.ended:
            self.folder.fail(error)
            self.end(Outcome(FAILED, reason_of(error), self.progress))
