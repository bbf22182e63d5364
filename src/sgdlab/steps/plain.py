"""The ordinary update."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from sgdlab.steps.base import MicroBatches, StatelessUpdate, StepValues, set_rates
from sgdlab.steps.objective import Objective


@dataclass
class PlainUpdate(StatelessUpdate):
    """Forward, loss, backward (accumulate), clip, step, zero.

    With a scale of losses, gradients are divided by it before anyone sees or clips them, and a step
    whose gradient overflowed is left out: it counts as a step of the run and of its schedule, the
    parameters and the optimizer (Adam's ``t``) stay as they are.

    Attributes:
        objective: What is minimised.
        optimizer: An optimizer that takes one gradient a step.
        zero_grad: Whether gradients are zeroed. If not, on purpose, step ``t`` applies the sum
            ``g_1 + … + g_t`` of all gradients so far, each as clipping left it: momentum 1
            without an end, the commonest mistake in a loop of one's own.
    """

    objective: Objective
    optimizer: Optimizer
    zero_grad: bool = True

    def step(
        self, step: int, update: MicroBatches, lr: float, momentum: float | None
    ) -> StepValues:
        """Make one update with the gradient of its batches; see `Update.step`."""
        loss = self.objective.backward(update)
        scale = self.objective.loss_scale
        skipped = scale is not None and scale.unscale(self.optimizer)
        norm, coefficient = self.objective.clip()
        set_rates(self.optimizer, lr, momentum)
        # Optimizers may write into the gradient, as torch's foreach Nesterov does.
        kept = [] if self.zero_grad else [(p, _copy(p.grad)) for p in self.objective.parameters]
        if not skipped:
            self.optimizer.step()
        self.objective.zero_grad()
        for p, summed in kept:
            p.grad = summed
        return StepValues(loss, norm, 0.0 if skipped else coefficient, lr, skipped)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the scale of losses, where there is one."""
        scale = self.objective.loss_scale
        return {} if scale is None else {"loss_scale": scale.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the scale of losses."""
        if self.objective.loss_scale is not None and "loss_scale" in state:
            self.objective.loss_scale.load_state_dict(state["loss_scale"])


def _copy(gradient: Tensor | None) -> Tensor | None:
    return None if gradient is None else gradient.clone()
