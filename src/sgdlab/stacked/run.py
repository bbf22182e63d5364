"""One run of a stack: its numbers, and how far it is."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor
from torch.optim import Optimizer

from sgdlab.config.schema import RunConfig
from sgdlab.errors import one_line, reason_of
from sgdlab.optimizers.decay import decay_of
from sgdlab.results import FAILED
from sgdlab.schedules.base import Schedule
from sgdlab.stacked.rules.base import Rule
from sgdlab.terminal.display import shown
from sgdlab.terminal.notices import warn
from sgdlab.training.folder import RunFolder
from sgdlab.training.state import Outcome, TrainState
from sgdlab.training.summary import Built, summary_of

DecayKind = Literal["none", "coupled", "decoupled", "independent", "own"]


@dataclass(frozen=True)
class Tensors:
    """What an optimizer does with one parameter.

    Attributes:
        numbers: The settings of the rule.
        lr_multiplier: The factor on the scheduled rate.
        decay: The coefficient ``wd``.
        kind: How the engine applies it: ``g + wd·w``; ``(1 - lr_t·wd)·w``; with the schedule's
            factor instead of ``lr_t``; or ``own``: the rule does.
    """

    numbers: Mapping[str, float]
    lr_multiplier: float
    decay: float
    kind: DecayKind


def tensors_of(
    optimizer: Optimizer, rule: Rule, kind: DecayKind, order: Sequence[Tensor]
) -> list[Tensors]:
    """Read what the optimizer of one run does with each of its parameters.

    Args:
        optimizer: The optimizer of the run, with its parameter groups.
        rule: The rule of the optimizer.
        kind: How the decay acts: ``decay.mode`` of the config, else the optimizer's own way.
        order: The parameters, in the order of the result.
    """
    found: dict[int, Tensors] = {}
    for group in optimizer.param_groups:
        decay = float(decay_of(group))
        if kind == "own":
            decay = 0.0  # among the numbers
        for p, numbers in zip(group["params"], rule.numbers_of_each(group), strict=True):
            found[id(p)] = Tensors(
                numbers=numbers,
                lr_multiplier=group.get("lr_multiplier", 1.0),
                decay=decay,
                kind=kind if decay else "none",
            )
    return [found[id(p)] for p in order]


@dataclass
class StackedRun:
    """One run of a stack.

    Attributes:
        config: The resolved config.
        folder: The folder that the run writes into.
        schedule: The schedule; runs with the same one share it, unless it has a state.
        tensors: What its optimizer does with each parameter.
        built: What is known of the run, for its summary.
        progress: How far the run is.
        ended: Whether its summary is written.
    """

    config: RunConfig
    folder: RunFolder
    schedule: Schedule
    tensors: list[Tensors]
    built: Built
    progress: TrainState = field(default_factory=TrainState)
    ended: bool = False

    @property
    def lr(self) -> float:
        """The learning rate after scaling, before the schedule."""
        return self.built.lr

    def save(self, state: Mapping[str, object], compiled: bool) -> None:
        """Write a checkpoint, from which the run can go on in any stack; its rows are on disk.

        Args:
            state: What `sgdlab.stacked.stack.Stack.states` gives for the run.
            compiled: Whether it is trained by compiled code, whose last bits differ.
        """
        progress = dataclasses.asdict(self.progress)
        schedule = self.schedule.state_dict() or None
        own = {"compiled": compiled, "progress": progress, "schedule": schedule}
        self.folder.save(own | dict(state))

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where a checkpoint left off."""
        self.progress = TrainState(**state["progress"])
        if state["schedule"] is not None:
            self.schedule.load_state_dict(state["schedule"])

    def end(self, outcome: Outcome, found: Mapping[str, Any] | None = None) -> None:
        """Write the summary of the run, which has ended, with what its optimizer found out."""
        self.ended = True
        built = dataclasses.replace(self.built, **(found or {}))
        self.folder.end(summary_of(self.config, outcome, built, self.folder))

    def fail(self, error: BaseException) -> None:
        """Write the summary of the run, which an error has ended, and the traceback.

        Where they cannot be written, that is told: the other runs of its stack go on.
        """
        if self.ended:
            return
        try:
            if self.folder.writer is not None:
                self.progress.claim_no_more_than(self.folder.directory)
            self.folder.fail(error)
            self.end(Outcome(FAILED, reason_of(error), self.progress))
        except OSError as further:
            reason = one_line(error)[:100]
            warn(f"{shown(self.folder.directory)} failed ({reason}) and cannot say so: {further}")
