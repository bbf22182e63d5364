"""The ordinary update."""

from dataclasses import dataclass

from torch.optim import Optimizer

from sgdlab.steps.base import MicroBatches, StatelessUpdate, StepValues, set_rates
from sgdlab.steps.objective import Objective


@dataclass
class PlainUpdate(StatelessUpdate):
    """Forward, loss, backward (accumulate), clip, step, zero.

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
        norm, coefficient = self.objective.clip()
        set_rates(self.optimizer, lr, momentum)
        self.optimizer.step()
        if self.zero_grad:
            self.objective.zero_grad()
        return StepValues(loss, norm, coefficient, lr)
