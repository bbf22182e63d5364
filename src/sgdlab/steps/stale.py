"""Asynchronous SGD, simulated exactly: gradients computed at old parameters."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from sgdlab.steps.base import MicroBatches, StepValues, set_rates
from sgdlab.steps.batches import stream_seed
from sgdlab.steps.closure import undisturbed
from sgdlab.steps.objective import Objective


@dataclass
class StaleUpdate:
    """Update ``t`` applies the gradient of its batch at the parameters of update ``t - d_t``.

    ``θ_{t+1} = θ_t - lr_t · g(θ_{t-d_t}; batch_t)`` for SGD, and any other optimizer likewise:
    what a parameter server does whose workers are ``d_t`` updates late (Agarwal and Duchi 2011).
    Every gradient is applied once. At the start, when there is no parameter vector that old, the
    first one is used, as all workers then hold it.

    The logged loss is that of the current parameters, as in every run; it costs a forward pass,
    which is not counted as an evaluation.

    Attributes:
        objective: What is minimised.
        optimizer: An optimizer that takes one gradient a step.
        delay: The largest delay ``τ``, in updates.
        random: Whether ``d_t`` is drawn uniformly from ``0..τ`` instead of ``d_t = τ``.
        correct_lr: Whether the rate is divided by ``max(1, d_t)`` (Zhang et al. 2016).
        seed: The seed of the run.
    """

    objective: Objective
    optimizer: Optimizer
    delay: int
    random: bool
    correct_lr: bool
    seed: int
    _past: deque[list[Tensor]] = field(init=False)

    def __post_init__(self) -> None:
        self._past = deque(maxlen=self.delay + 1)

    def step(
        self, step: int, update: MicroBatches, lr: float, momentum: float | None
    ) -> StepValues:
        """Make one update with a late gradient; see `Update.step`."""
        parameters = self.objective.parameters
        self._past.append([p.detach().clone() for p in parameters])
        late = min(self._delay(step), len(self._past) - 1)
        with undisturbed(self.objective.model, loss=self.objective.loss.module):
            loss = self.objective.value(update)
        current = [p.data for p in parameters]
        for p, old in zip(parameters, self._past[-1 - late], strict=True):
            p.data = old.clone()
        self.objective.backward(update)
        for p, now in zip(parameters, current, strict=True):
            p.data = now
        norm, coefficient = self.objective.clip()
        used = lr / max(1, late) if self.correct_lr else lr
        set_rates(self.optimizer, used, momentum)
        self.optimizer.step()
        self.objective.zero_grad()
        return StepValues(loss, norm, coefficient, used)

    def _delay(self, step: int) -> int:
        if not self.random:
            return self.delay
        generator = torch.Generator().manual_seed(stream_seed(self.seed, "staleness", step))
        return int(torch.randint(self.delay + 1, (), generator=generator))

    def sync_weights(self) -> None:
        """Do nothing: the server's parameters are in the model."""

    def state_dict(self) -> dict[str, Any]:
        """Return the past parameters."""
        return {"past": list(self._past)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the past parameters, on the device of the present ones."""
        device = self.objective.parameters[0].device
        for old in state["past"]:
            self._past.append([tensor.to(device) for tensor in old])
