"""What all kinds of update share: their signature, the values of a step, rates."""

from typing import Any, NamedTuple, Protocol

from torch import Tensor
from torch.optim import Optimizer

from sgdlab.datasets.base import Split

MicroBatches = list[Split]
"""The micro-batches of one update."""


class StepValues(NamedTuple):
    """What a step logs.

    Attributes:
        loss: The mean over the update's examples at the parameters before it, a 0-dim tensor.
        grad_norm: The global L2 norm of the gradient before clipping, a 0-dim tensor.
        clip_coef: The factor that clipping applied; 1.0 when it did not.
        lr: The learning rate used.
        skipped: Whether no update was made, since the gradient overflowed in float16; the norm is
            then not finite, and the factor 0.
    """

    loss: Tensor
    grad_norm: Tensor
    clip_coef: Tensor | float
    lr: float
    skipped: bool = False


class Update(Protocol):
    """Makes one update at a time."""

    def step(
        self, step: int, update: MicroBatches, lr: float, momentum: float | None
    ) -> StepValues:
        """Make an update.

        Args:
            step: The number of updates made before it.
            update: The micro-batches of the update.
            lr: The scheduled learning rate.
            momentum: The scheduled momentum; None leaves that of the optimizer alone.
        """
        ...

    def sync_weights(self) -> None:
        """Put the weights that are to be evaluated into the model."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs beside the model and the optimizer."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""


class StatelessUpdate:
    """An update whose whole state is the model's and the optimizer's."""

    def sync_weights(self) -> None:
        """Do nothing: the model's weights are those to evaluate."""

    def state_dict(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take nothing."""


def set_rates(optimizer: Optimizer, lr: float, momentum: float | None) -> None:
    """Set ``lr`` times its multiplier in every group, and ``momentum`` (or ``betas[0]``)."""
    for group in optimizer.param_groups:
        group["lr"] = lr * group.get("lr_multiplier", 1.0)
        if momentum is None:
            continue
        # Remembered, since a schedule may pass through 0, and plain SGD has 0 from the start.
        if group.setdefault("momentum_scheduled", bool(group.get("momentum"))):
            group["momentum"] = momentum
        elif "betas" in group:
            group["betas"] = (momentum, *group["betas"][1:])


def has_momentum(optimizer: Optimizer) -> bool:
    """Say whether a scheduled momentum would have an effect: plain SGD stays plain."""
    return any(group.get("momentum") or "betas" in group for group in optimizer.param_groups)
