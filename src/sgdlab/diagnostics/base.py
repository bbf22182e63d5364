"""What every quantity is given, and what it returns."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sgdlab.datasets.base import Dataset
from sgdlab.results import Cell
from sgdlab.steps.base import Update


@dataclass
class Subject:
    """What stays the same through a run.

    Attributes:
        model: In training mode while steps are made.
        names: Of the trainable parameters.
        parameters: The trainable ones, in the order of ``names``, the model's; d numbers in total.
        loss: Called ``loss(output, target)``; a mean over examples.
        bf16: Autocast the forward pass.
        optimizer: Its groups have the ``lr`` of the step that was made last.
        data: On the device of the model.
        effective_batch_size: Examples per update.
        seed: Of the run.
    """

    model: nn.Module
    names: list[str]
    parameters: list[Tensor]
    loss: Callable[[Tensor, Tensor], Tensor]
    bf16: bool
    optimizer: Optimizer
    data: Dataset
    effective_batch_size: int
    seed: int

    @cached_property
    def layers(self) -> dict[str, list[int]]:
        """Positions of parameters by the module that holds them, in the model's order."""
        found: dict[str, list[int]] = {}
        for index, name in enumerate(self.names):
            found.setdefault(name.rpartition(".")[0] or name, []).append(index)
        return found


@dataclass
class Moment:
    """A step that was made, at a quantity's turn.

    Attributes:
        step: Updates made, this one included.
        lr: Learning rate used.
        update: Micro-batches ``(x, y)`` of the step.
        loss: Mean over its examples at ``before``, 0-dim.
        gradients: Before clipping, at ``before``, by parameter; zeros where there was none.
        clip_coef: The factor that clipping applied to them.
        before: Parameters before the update; those of the subject are the ones after it.
        previous: Gradients of the step before, if the quantity asked for them and there was one.
        random_state: Of the CPU generator before the step's forward pass: with it, dropout and
            noise repeat.
        shared: What one quantity computed and another may use.
    """

    step: int
    lr: float
    update: Update
    loss: Tensor
    gradients: list[Tensor]
    clip_coef: Tensor | float
    before: list[Tensor]
    after: list[Tensor]
    previous: list[Tensor] | None
    random_state: Tensor
    shared: dict[str, Any] = field(default_factory=dict[str, Any])

    @cached_property
    def gradient(self) -> Tensor:
        """All gradients as one vector ``[d]``."""
        return flat(self.gradients)

    @cached_property
    def start(self) -> Tensor:
        """All parameters before the update as one vector ``[d]``."""
        return flat(self.before)

    @cached_property
    def change(self) -> Tensor:
        """What the update added to the parameters, ``[d]``."""
        return flat(self.after) - self.start


class Quantity(ABC):
    """Something that is measured at some steps of a run.

    Attributes:
        every: Steps from one measurement to the next; None: as ``diagnostics.every`` says.
        needs_previous: Whether `Moment.previous` is wanted.
    """

    every: int | None = None
    needs_previous: bool = False

    @abstractmethod
    def begin(self, subject: Subject) -> tuple[str, ...]:
        """Take the subject at its initial weights; return the columns of ``steps.csv``.

        Raises:
            InputError: The quantity is not defined for this model or optimizer.
        """

    @abstractmethod
    def measure(self, subject: Subject, moment: Moment) -> Tensor:
        """Return a value per column, ``[columns]``, on any device; NaN where there is none.

        Called with gradients disabled. Must leave parameters, buffers, ``p.grad``, the model's
        mode and all random streams as they were.
        """

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs: tensors and plain values only."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Restore what `state_dict` returned; called after `begin`."""


@dataclass
class Table:
    """A file that a conclusion leaves in the run's folder."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


class Conclusion(ABC):
    """Something that is measured once, at the end of a run that completed."""

    @abstractmethod
    def conclude(self, subject: Subject) -> dict[str, Table]:
        """Return tables by file name (``layers.csv``); leave the subject as it was."""


def flat(tensors: Sequence[Tensor]) -> Tensor:
    """Return tensors as one vector, detached."""
    return torch.cat([t.detach().reshape(-1) for t in tensors])
