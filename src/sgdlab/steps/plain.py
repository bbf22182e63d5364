"""The ordinary update."""

from dataclasses import dataclass

from torch.optim import Optimizer

from sgdlab.steps.base import Stateless, StepValues, Update, set_rates
from sgdlab.steps.objective import Objective


@dataclass
class Plain(Stateless):
    """Forward, loss, backward (accumulate), clip, step, zero."""

    objective: Objective
    optimizer: Optimizer

    def take(self, step: int, update: Update, lr: float, momentum: float | None) -> StepValues:
        """Make one update with the gradient of its batches; see `Stepper.take`."""
        loss = self.objective.backward(update)
        norm, coefficient = self.objective.clip()
        set_rates(self.optimizer, lr, momentum)
        self.optimizer.step()
        self.objective.zero_grad()
        return StepValues(loss, norm, coefficient)
