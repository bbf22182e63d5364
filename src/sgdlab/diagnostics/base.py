"""What every quantity is given, and what it returns."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch._utils import _flatten_dense_tensors
from torch.optim import Optimizer

from sgdlab.datasets.base import Dataset
from sgdlab.optimizers.traits import Traits
from sgdlab.results import Cell
from sgdlab.steps.base import MicroBatches
from sgdlab.steps.criterion import Criterion
from sgdlab.steps.streams import DrawState


@dataclass
class Subject:
    """What stays the same through a run.

    Attributes:
        model: The model, in training mode while steps are made.
        names: Names of the trainable parameters.
        parameters: The trainable parameters in the order of ``names``, d numbers in total.
        loss: The loss, a mean over examples that all count alike.
        half: The type that the forward pass is autocast to; None: it is not.
        optimizer: The optimizer; its groups have the ``lr`` of the step that was made last.
        traits: What is known of the optimizer.
        data: The dataset, on the device of the model.
        effective_batch_size: Examples per update.
        seed: The seed of the run.
        shared: What one quantity found out and another may use.
    """

    model: nn.Module
    names: list[str]
    parameters: list[Tensor]
    loss: Criterion
    half: torch.dtype | None
    optimizer: Optimizer
    traits: Traits
    data: Dataset
    effective_batch_size: int
    seed: int
    shared: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def half_of_gradients(self) -> torch.dtype | None:
        """The type for gradients taken here; those in float16 would need a scale."""
        return None if self.half is torch.float16 else self.half

    @cached_property
    def layers(self) -> dict[str, list[int]]:
        """Positions of parameters by the module that holds them, in the model's order."""
        found: dict[str, list[int]] = {}
        for index, name in enumerate(self.names):
            found.setdefault(name.rpartition(".")[0] or name, []).append(index)
        return found


@dataclass
class Moment:
    """A step that was made, at a quantity's turn; vectors have all parameters one after another.

    Attributes:
        step: The number of updates made, this one included.
        lr: The learning rate that was used.
        update: Micro-batches of the step.
        loss: Mean over its examples at ``start``, 0-dim.
        clip_coef: The factor that clipping applied to the gradient.
        gradient: The gradient before clipping, at the point where the optimizer asked for it first
            (``start``, but for a look-ahead), ``[d]``; zeros where a parameter had none.
        start: Parameters before the update, ``[d]``.
        end: Parameters after it, ``[d]``.
        previous: Gradient of the step before, if it was asked for and there was one, ``[d]``.
        shapes: The shapes of the parameters.
        random_state: State of the generators before the step's forward pass: with it, dropout
            and noise repeat.
        shared: What one quantity computed and another may use.
    """

    step: int
    lr: float
    update: MicroBatches
    loss: Tensor
    clip_coef: Tensor | float
    gradient: Tensor
    start: Tensor
    end: Tensor
    previous: Tensor | None
    shapes: Sequence[torch.Size]
    random_state: DrawState | Tensor
    shared: dict[str, Any] = field(default_factory=dict[str, Any])

    @cached_property
    def change(self) -> Tensor:
        """What the update added to the parameters, ``[d]``."""
        return self.end - self.start

    # By parameter only where it is asked for: on a small model each view costs as much as a norm.
    @cached_property
    def gradients(self) -> list[Tensor]:
        """``gradient`` by parameter."""
        return self._parts(self.gradient)

    @cached_property
    def before(self) -> list[Tensor]:
        """``start`` by parameter."""
        return self._parts(self.start)

    @cached_property
    def after(self) -> list[Tensor]:
        """``end`` by parameter."""
        return self._parts(self.end)

    def _parts(self, vector: Tensor) -> list[Tensor]:
        parts = vector.split([shape.numel() for shape in self.shapes])
        return [part.view(shape) for part, shape in zip(parts, self.shapes, strict=True)]


class Quantity(ABC):
    """Something that is measured at some steps of a run.

    Attributes:
        every: Steps from one measurement to the next; None: as ``diagnostics.every`` says.
        columns: What it adds to the columns of ``steps.csv``, where that is the same for every run.
        needs_previous: Whether `Moment.previous` is wanted.
        provides: Names of the results that it leaves in `Moment.shared`.
        needs: Names of the results that it cannot do without.
        uses: Names of the results that it takes over where another quantity provides them.
    """

    every: int | None = None
    columns: tuple[str, ...] = ()
    needs_previous: bool = False
    provides: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()

    def begin(self, subject: Subject) -> tuple[str, ...]:
        """Take the subject at its initial weights; return the columns of ``steps.csv``.

        Raises:
            InputError: The quantity is not defined for this model or optimizer.
        """
        return self.columns

    def before(self, subject: Subject) -> None:  # noqa: B027
        """Get ready for a step that will be measured; the model is about to see its batch."""

    @abstractmethod
    def measure(self, subject: Subject, moment: Moment) -> Tensor | Sequence[float]:
        """Return a value per column, ``[columns]``; NaN where there is none.

        Called with gradients disabled. Must leave parameters, buffers, ``p.grad``, the model's
        mode and all random streams as they were.
        """

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs: tensors and plain values only."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Restore what `state_dict` returned; called after `begin`."""


@dataclass
class DiagnosticTable:
    """A file that a conclusion leaves in the run's folder."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


class Conclusion(ABC):
    """Something that is measured once, at the end of a run that completed."""

    @abstractmethod
    def conclude(self, subject: Subject) -> dict[str, DiagnosticTable]:
        """Return tables by file name (``layers.csv``); leave the subject as it was."""


@torch.no_grad()
def flat(tensors: Sequence[Tensor]) -> Tensor:
    """Return a copy of tensors as one vector, detached."""
    # One call; reshaping each and joining them takes five times as long on a small model.
    vector = _flatten_dense_tensors(tensors)
    return vector if len(tensors) > 1 else vector.clone()
