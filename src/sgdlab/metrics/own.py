"""Metrics that a user brings: functions, and the objects of torchmetrics."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from sgdlab.errors import InputError, reason_of
from sgdlab.metrics.base import Direction, Metric, Scale

DIRECTIONS = ("max", "min")


def as_metric(
    found: Any, name: str, direction: str | None, scale: Scale, probabilities: bool = False
) -> Metric:
    """Return what a user's ``_target_`` gave as a metric.

    Args:
        found: A metric of ours; an object with ``update``, ``compute`` and ``reset``, as of
            torchmetrics; or a function of all outputs and targets of a split.
        name: The name of the chosen member.
        direction: What its YAML says under ``_traits_: {direction: max}``; None: what the object
            says (``higher_is_better``, ``direction``).
        scale: How standardised targets become quantities: a metric sees the units of the data.
        probabilities: Whether single outputs are probabilities already, no logits.

    Raises:
        InputError: It is none of these, or nobody says which direction is better.
    """
    if getattr(type(found), "__module__", "").startswith("sgdlab.metrics"):
        return found
    if direction is None:
        higher = getattr(found, "higher_is_better", None)
        direction = getattr(found, "direction", None) if higher is None else ("min", "max")[higher]
    if direction not in DIRECTIONS:
        raise InputError(
            f"metric={name}: which is better, more or less of it? Write "
            "_traits_: {direction: max} or {direction: min} into its YAML"
        )
    if all(callable(getattr(found, part, None)) for part in ("update", "compute", "reset")):
        return OfSplit(functools.partial(_computed, found, probabilities), name, direction, scale)
    if callable(found):
        return OfSplit(found, name, direction, scale)
    raise InputError(f"metric={name}: {type(found).__name__} is no function and no torchmetrics")


@dataclass
class OfSplit:
    """A function of the outputs and targets of a whole split, whatever the batch of evaluation.

    Attributes:
        function: Called with the outputs of the model and the targets, in the units of the data.
        name: The name of its column.
        direction: Whether more (``max``) or less (``min``) of it is better.
        scale: How standardised targets become quantities.
    """

    function: Callable[[Tensor, Tensor], Any]
    name: str
    direction: Direction
    scale: Scale
    _parts: list[tuple[Tensor, Tensor]] = field(default_factory=list, init=False)

    def begin(self, device: torch.device) -> None:
        """Forget what was added."""
        self._parts = []

    def add(self, output: Tensor, target: Tensor) -> None:
        """Keep outputs and targets."""
        self._parts.append((self.scale.of_outputs(output), self.scale.restore(target)))

    def value(self, loss: float) -> float:
        """Call the function on all examples at once.

        Raises:
            InputError: It fails, or gives no number.
        """
        output, target = (torch.cat(part) for part in zip(*self._parts, strict=True))
        self._parts = []
        try:
            return float(self.function(output, target))
        except Exception as error:
            raise InputError(
                f"metric={self.name}: {reason_of(error)} (outputs "
                f"{list(output.shape)} {output.dtype}, targets {list(target.shape)} {target.dtype})"
            ) from error


def _computed(metric: Any, probabilities: bool, output: Tensor, target: Tensor) -> Any:
    """Return what an object of torchmetrics computes of a whole split.

    Classifiers get probabilities: torchmetrics takes outputs for logits only where some of them
    lie outside 0 to 1, which would depend on the batch.
    """
    if output.ndim == target.ndim + 1 and output.shape[1] == 1:
        output = output[:, 0]
    elif target.ndim == output.ndim + 1 and target.shape[1] == 1:
        target = target[:, 0]
    if "classification" in type(metric).__module__:
        if output.shape == target.shape:
            output, target = output if probabilities else output.sigmoid(), target.long()
        elif output.ndim == target.ndim + 1:
            output = output.softmax(1)
    if hasattr(metric, "to"):
        metric = metric.to(output.device)
    metric.reset()
    metric.update(output, target)
    found = metric.compute()
    if not isinstance(found, Tensor) or found.numel() != 1:
        raise TypeError(
            f"it gives {type(found).__name__}, not one number: choose an average (macro, micro)"
        )
    return found
