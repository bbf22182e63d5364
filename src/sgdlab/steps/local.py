"""Local SGD, simulated exactly: workers that step alone and average now and then."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from sgdlab.optimizers.state import load_exactly
from sgdlab.steps.base import MicroBatches, StepValues, set_rates
from sgdlab.steps.objective import Objective, gradient_norm


@dataclass
class Replica:
    """What one virtual worker owns; a worker acts while its replica is in model and optimizer."""

    parameters: list[Tensor]
    buffers: list[Tensor]
    state: Any
    examples: int = 0

    def tensors(self) -> list[Tensor]:
        """Return all that is averaged in the model."""
        return [*self.parameters, *self.buffers]


@dataclass
class LocalUpdate:
    """``W`` workers make ``H`` steps of their own on their share of the batches, then average.

    Worker ``k``: ``θ_k <- step(θ_k, g(θ_k; its micro-batches))``; after every ``H`` steps all
    ``θ_k`` and optimizer states (momentum buffers) become ``Σ_k (n_k / n) · θ_k``, weighted by the
    examples that each has seen since the last average (McMahan et al. 2017; Stich 2019). With
    ``H = 1`` and SGD, with or without momentum, that is synchronous SGD on the large batch.

    A step is one step of every worker, so the effective batch is ``W`` times that of one. Its loss
    is the mean over the workers, each at its own parameters; ``grad_norm`` is that of their
    weighted mean gradient. Clipping is each worker's own, and ``clip_coef`` the weighted mean.
    What is evaluated is the average of the workers at that moment.

    Attributes:
        objective: What is minimised.
        optimizer: An optimizer that takes one gradient a step.
        workers: The number of workers ``W``.
        steps: The steps ``H`` between two averages.
        accumulate: The micro-batches of a worker's step.
        project: Called after an average, when the parameters are constrained.
    """

    objective: Objective
    optimizer: Optimizer
    workers: int
    steps: int
    accumulate: int
    project: Callable[[], None] | None = None
    _replicas: list[Replica] = field(init=False, default_factory=list[Replica])

    def step(
        self, step: int, update: MicroBatches, lr: float, momentum: float | None
    ) -> StepValues:
        """Make one step of every worker; see `Update.step`."""
        if not self._replicas:
            self._replicas = [self._copy() for _ in range(self.workers)]
        size = sum(len(y) for _, y in update)
        gradient = [torch.zeros_like(p) for p in self.objective.parameters]
        loss, coefficient = gradient[0].new_zeros(()), gradient[0].new_zeros(())
        functions, gradients = self.objective.evaluations()
        home = self._held()
        for k, replica in enumerate(self._replicas):
            share = update[k * self.accumulate : (k + 1) * self.accumulate]
            if not share:
                continue
            examples = sum(len(y) for _, y in share)
            weight = examples / size
            self._hold(replica)
            loss += weight * self.objective.backward(share)
            for total, p in zip(gradient, self.objective.parameters, strict=True):
                if p.grad is not None:
                    total.add_(p.grad, alpha=weight)
            coefficient += weight * torch.as_tensor(self.objective.clip()[1])
            set_rates(self.optimizer, lr, momentum)
            self.optimizer.step()
            self.objective.zero_grad()
            replica.examples += examples
        self._hold(home)
        self.optimizer.state = self._replicas[0].state
        # Together the workers evaluate one effective batch.
        self.objective.count_from(functions + 1, gradients + 1)
        if (step + 1) % self.steps == 0:
            self._synchronise()
        return StepValues(loss, gradient_norm(gradient), coefficient, lr)

    def sync_weights(self) -> None:
        """Put the average of the workers into the model; they go on as if it had not been."""
        if any(replica.examples for replica in self._replicas):
            self._average_into(self._held())

    def _synchronise(self) -> None:
        home = self._held()
        self._average_into(home)
        if self.project is not None:
            self.project()
        self._average_states()
        for replica in self._replicas:
            replica.examples = 0
            for own, common in zip(replica.tensors(), home.tensors(), strict=True):
                own.copy_(common)

    def _average_into(self, home: Replica) -> None:
        weights = self._weights()
        columns = zip(*(replica.tensors() for replica in self._replicas), strict=True)
        for target, values in zip(home.tensors(), columns, strict=True):
            target.copy_(_mean(values, weights))

    def _average_states(self) -> None:
        pairs = [(r.state, w) for r, w in zip(self._replicas, self._weights(), strict=True) if w]
        states, weights = [state for state, _ in pairs], [weight for _, weight in pairs]
        for p, first in states[0].items():
            for key, value in first.items():
                mean = value
                if torch.is_tensor(value):
                    values = [state[p][key] for state in states]
                    # Counters of steps hardly differ: the largest.
                    counts = value.ndim == 0 and p.ndim > 0
                    mean = torch.stack(values).amax(0) if counts else _mean(values, weights)
                for replica in self._replicas:
                    replica.state[p][key] = mean.clone() if torch.is_tensor(mean) else mean

    def _weights(self) -> list[float]:
        total = sum(replica.examples for replica in self._replicas)
        return [replica.examples / total for replica in self._replicas]

    def _held(self) -> Replica:
        """Return what is in model and optimizer now, without a copy."""
        parameters = [p.data for p in self.objective.parameters]
        buffers = [b.data for b in self.objective.model.buffers()]
        return Replica(parameters, buffers, self.optimizer.state)

    def _copy(self) -> Replica:
        held = self._held()
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for p, values in held.state.items():
            state[p] = {k: v.clone() if torch.is_tensor(v) else v for k, v in values.items()}
        parameters = [t.clone() for t in held.parameters]
        return Replica(parameters, [t.clone() for t in held.buffers], state)

    def _hold(self, replica: Replica) -> None:
        """Put a replica's tensors and optimizer state into model and optimizer."""
        for p, data in zip(self.objective.parameters, replica.parameters, strict=True):
            p.data = data
        for b, data in zip(self.objective.model.buffers(), replica.buffers, strict=True):
            b.data = data
        self.optimizer.state = replica.state

    def state_dict(self) -> dict[str, Any]:
        """Return every worker's parameters, buffers, optimizer state and examples."""
        home, saved = self._held(), []
        for replica in self._replicas:
            self._hold(replica)
            optimizer = self.optimizer.state_dict()["state"]
            saved.append(
                {
                    "parameters": replica.parameters,
                    "buffers": replica.buffers,
                    "optimizer": optimizer,
                    "examples": replica.examples,
                }
            )
        self._hold(home)
        return {"replicas": saved}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore every worker."""
        home = self._held()
        groups = self.optimizer.state_dict()["param_groups"]
        for saved in state["replicas"]:
            replica = self._copy()
            for own, value in zip(
                replica.tensors(), [*saved["parameters"], *saved["buffers"]], strict=True
            ):
                own.copy_(value)
            load_exactly(self.optimizer, {"state": saved["optimizer"], "param_groups": groups})
            replica.state, replica.examples = self.optimizer.state, saved["examples"]
            self._replicas.append(replica)
        self._hold(home)


def _mean(values: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Return the weighted mean; of whole numbers the largest."""
    if not values[0].is_floating_point():
        return torch.stack(list(values)).amax(0)
    mean = torch.zeros_like(values[0])
    for value, weight in zip(values, weights, strict=True):
        mean.add_(value, alpha=weight)
    return mean
