"""Lets each quantity of a run measure the steps at which it is due."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from sgdlab.config.instantiate import is_out_of_memory
from sgdlab.diagnostics.base import Moment, Quantity, Subject, flat
from sgdlab.diagnostics.order import measuring_order
from sgdlab.diagnostics.running import is_due
from sgdlab.errors import reason_of
from sgdlab.steps.base import MicroBatches, StepValues
from sgdlab.steps.objective import Objective
from sgdlab.steps.streams import DrawState, draw_state, put_back


class DiagnosticError(RuntimeError):
    """A quantity could not be measured; says which."""


class Recorder:
    """Measures the quantities of a run.

    Args:
        subject: The run that is looked at, at its initial weights.
        objective: Shows the gradient of each step before it is clipped.
        quantities: The quantities by their names, in the order of their columns.
        every: Steps between two measurements, where a quantity has no cadence of its own.

    Raises:
        InputError: A quantity is not defined for this run.
    """

    def __init__(
        self, subject: Subject, objective: Objective, quantities: Mapping[str, Quantity], every: int
    ) -> None:
        self.subject = subject
        self.seconds = 0.0
        """Time spent here, which is none of the run's training time."""
        self._objective = objective
        self._quantities = dict(quantities)
        self._order = measuring_order(quantities)
        self._widths: dict[str, int] = {}
        self._every = {name: q.every or every for name, q in self._quantities.items()}
        columns: list[str] = []
        for name, quantity in self._quantities.items():
            own = quantity.begin(subject)
            self._widths[name] = len(own)
            columns += own
        self.columns = tuple(columns)
        """What the quantities add to the columns of ``steps.csv``."""
        self._shapes = [p.shape for p in subject.parameters]
        self._due: list[str] = []
        self._gradient: Tensor | None = None
        self._previous: Tensor | None = None
        self._start: Tensor | None = None
        self._random_state: DrawState | None = None

    @property
    def is_due(self) -> bool:
        """Whether the step that is being made is one that is measured."""
        return bool(self._due)

    def before(self, step: int) -> None:
        """Get ready for an update.

        Args:
            step: The number of updates made so far.
        """
        now = step + 1
        self._due = [name for name, every in self._every.items() if is_due(now, every)]
        began = self._now()
        if self._due:
            self._start = flat(self.subject.parameters)
            self._random_state = draw_state()
            for name in self._due:
                self._quantities[name].before(self.subject)
        if self._due or self._wanted_next(now):
            self._objective.on_gradient = self._see
        self.seconds += self._now() - began

    def _now(self) -> float:
        """Return the time; where something is measured, once the device has done what it was told.

        Else the work that training has queued would be charged to diagnostics.
        """
        if self._due and (device := self.subject.parameters[0].device).type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    def _wanted_next(self, now: int) -> bool:
        return any(
            is_due(now + 1, every) and self._quantities[name].needs_previous
            for name, every in self._every.items()
        )

    def _see(self) -> None:
        """Keep the gradient as it is now: the first one, if the optimizer asks for several."""
        self._objective.on_gradient = None
        parameters = self.subject.parameters
        self._gradient = flat(
            [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        )

    @torch.no_grad()
    def after(
        self, step: int, update: MicroBatches, values: StepValues, lr: float
    ) -> list[float] | None:
        """Measure what is due; return a value per column, or None when nothing was.

        Args:
            step: The number of updates made, this one included.
            update: The micro-batches of the step.
            values: What the step returned.
            lr: The learning rate that was used.

        Raises:
            DiagnosticError: A quantity failed.
        """
        self._objective.on_gradient = None
        gradient, self._gradient = self._gradient, None
        previous, self._previous = self._previous, gradient
        if not self._due:
            return None
        began = self._now()
        assert self._start is not None
        assert self._random_state is not None
        after = flat(self.subject.parameters)
        if gradient is None:  # an optimizer that never asked for one
            gradient = torch.full_like(after, torch.nan)
        moment = Moment(
            step, lr, update, values.loss, values.clip_coef, gradient, self._start, after,
            previous, self._shapes, self._random_state,
        )  # fmt: skip
        random_state = draw_state()
        measured = {name: self._measure(name, moment) for name in self._order}
        put_back(random_state)
        self.seconds += self._now() - began
        return [value for name in self._widths for value in measured[name]]

    def _measure(self, name: str, moment: Moment) -> Sequence[float]:
        width = self._widths[name]
        if name not in self._due:
            return [math.nan] * width
        try:
            found = self._quantities[name].measure(self.subject, moment)
        except Exception as error:
            what = reason_of(error)
            if is_out_of_memory(error):
                what = "no memory left for it; leave it out: ~diagnostics.quantities." + name
            raise DiagnosticError(f"diagnostics.quantities.{name}: {what}") from error
        values = found.tolist() if isinstance(found, Tensor) else found
        assert len(values) == width, f"{name}: {len(values)} values for {width} columns"
        return values

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs: tensors and plain values."""
        own = {name: quantity.state_dict() for name, quantity in self._quantities.items()}
        return {"quantities": own, "previous": self._previous}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for name, own in state["quantities"].items():
            if name in self._quantities:
                self._quantities[name].load_state_dict(own)
        previous = state["previous"]
        if previous is not None:
            self._previous = previous.to(self.subject.parameters[0].device)


def cells(values: Sequence[float] | None, width: int) -> tuple[float | None, ...]:
    """Return measured values as cells: empty where there is none."""
    if values is None:
        return (None,) * width
    return tuple(None if value != value else value for value in values)
