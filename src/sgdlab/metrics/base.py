"""What every metric is: fed a split batch by batch, then asked for one number."""

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from sgdlab.errors import InputError

Direction = Literal["max", "min"]


@dataclass(frozen=True)
class Scale:
    """How standardised targets become quantities in the units of the data: ``y · scale + mean``.

    Attributes:
        scale: The deviation that targets were divided by.
        mean: The mean that was taken from them.
        log: Whether outputs are logarithms of quantities, as those of counts.
    """

    scale: float | Tensor = 1.0
    mean: float | Tensor = 0.0
    log: bool = False

    def of_outputs(self, output: Tensor) -> Tensor:
        """Return outputs in the units of the data."""
        return output.double().exp() if self.log else self.restore(output)

    def restore(self, values: Tensor) -> Tensor:
        """Return values in the units of the data, in float64 where that changes them."""
        if isinstance(self.scale, float) and self.scale == 1.0 and self.mean == 0.0:
            return values
        return values.double() * self.scale + self.mean


class Metric(Protocol):
    """A number by which the outputs on a split are judged.

    Attributes:
        name: The name of its column.
        direction: Whether more (``max``) or less (``min``) of it is better.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def direction(self) -> Direction: ...  # noqa: D102

    def begin(self, device: torch.device) -> None:
        """Forget what was added."""

    def add(self, output: Tensor, target: Tensor) -> None:
        """Take the outputs of some examples, and their targets."""

    def value(self, loss: float) -> float:
        """Return the metric of all that was added; ``loss`` is their mean loss."""
        ...


_LABELS, _QUANTITIES = ("classification", "multilabel"), ("regression", "counts")
TASKS_OF: dict[str, tuple[str, ...]] = {
    "accuracy": (*_LABELS, "language", "custom"), "macro_f1": (*_LABELS, "custom"),
    "auroc": (*_LABELS, "custom"), "top5": ("classification", "custom"),
    "rmse": (*_QUANTITIES, "custom"), "r2": (*_QUANTITIES, "custom"), "perplexity": ("language",),
    "bits_per_token": ("language",), "bits_per_byte": ("language",),
}  # fmt: skip
"""The tasks that each of our metrics is for."""


def require_task(name: str, task: str | None) -> None:
    """Refuse a metric that a task has no use for; None is not checked.

    Args:
        name: One of `TASKS_OF`.
        task: The task of the dataset.

    Raises:
        InputError: Names the metric, what it is for, and what there is for the task.
    """
    if task is None or task in TASKS_OF[name]:
        return
    own = " and ".join(each for each in TASKS_OF[name] if each != "custom")
    fit = [other for other, tasks in TASKS_OF.items() if task in tasks]
    offered = ", ".join([*fit, "or auto"]) if fit else "auto"
    raise InputError(f"metric={name}: is for {own}; for {task}: {offered}")
