"""What all kinds of update share: their signature, the values of a step, rates."""

from typing import Any, NamedTuple, Protocol

from torch import Tensor
from torch.optim import Optimizer

MicroBatches = list[tuple[Tensor, Tensor]]
"""The micro-batches ``(x, y)`` of one update."""


class StepValues(NamedTuple):
    """What a step logs.

    Attributes:
        loss: Mean over the update's examples at the parameters before it, a 0-dim tensor.
        grad_norm: Global L2 norm of the gradient before clipping, a 0-dim tensor.
        clip_coef: The factor that clipping applied; 1.0 when it did not.
        lr: Learning rate used, where it is not the one given.
    """

    loss: Tensor
    grad_norm: Tensor
    clip_coef: Tensor | float
    lr: float | None = None


class Update(Protocol):
    """Makes one update at a time."""

    def step(
        self, step: int, update: MicroBatches, lr: float, momentum: float | None
    ) -> StepValues:
        """Make an update.

        Args:
            step: Updates made before it.
            update: Its micro-batches.
            lr: Learning rate, as scheduled.
            momentum: Momentum to set, where the schedule has one; None leaves it alone.
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
