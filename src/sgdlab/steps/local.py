"""Local SGD, simulated exactly: workers that step alone and average now and then."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from sgdlab.optimizers.state import load_exactly
from sgdlab.steps.base import MicroBatches, StepValues, set_rates
from sgdlab.steps.means import mean_of, state_of
from sgdlab.steps.objective import Objective, gradient_norm
from sgdlab.steps.shares import share_of


@dataclass
class Replica:
    """What one virtual worker owns; a worker acts while its replica is in model and optimizer."""

    parameters: list[Tensor]
    buffers: list[Tensor]
    state: Any
    examples: float = 0.0

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

    Before, ``start`` steps are synchronous (post-local SGD, Lin et al. 2020): all workers step by
    the mean of their gradients, clipped as one, and only running statistics are averaged.

    Attributes:
        objective: What is minimised.
        optimizer: An optimizer that takes one gradient a step.
        workers: The number of workers ``W``.
        steps: The steps ``H`` between two averages.
        accumulate: The micro-batches of a worker's step.
        project: Called after an average, when the parameters are constrained.
        start: The synchronous steps before the workers go apart.
    """

    objective: Objective
    optimizer: Optimizer
    workers: int
    steps: int
    accumulate: int
    project: Callable[[], None] | None = None
    start: int = 0
    _replicas: list[Replica] = field(init=False, default_factory=list[Replica])

    def step(
        self, step: int, update: MicroBatches, lr: float, momentum: float | None
    ) -> StepValues:
        """Make one step of every worker; see `Update.step`."""
        if not self._replicas:
            self._replicas = [self._copy() for _ in range(self.workers)]
        counted = self.objective.loss.total
        size = float(sum(counted(batch) for batch in update)) or 1.0
        gradient = [torch.zeros_like(p) for p in self.objective.parameters]
        loss, coefficient = gradient[0].new_zeros(()), gradient[0].new_zeros(())
        functions, gradients = self.objective.evaluations()
        home, together = self._held(), step < self.start
        found = [False] * len(gradient)
        for k, replica in enumerate(self._replicas):
            share = update[share_of(k, self.workers, self.accumulate, len(update))]
            if not share:
                continue
            examples = float(sum(counted(batch) for batch in share))
            weight = examples / size
            self._hold(replica)
            loss += weight * self.objective.backward(share)
            for i, (total, p) in enumerate(zip(gradient, self.objective.parameters, strict=True)):
                if p.grad is not None:
                    total.add_(p.grad, alpha=weight)
                    found[i] = True
            replica.examples += examples
            if not together:
                coefficient += weight * self.objective.clip()[1]
                set_rates(self.optimizer, lr, momentum)
                self.optimizer.step()
            self.objective.zero_grad()
        norm = gradient_norm(gradient)
        if together:
            set_rates(self.optimizer, lr, momentum)
            coefficient = self._step_all(gradient, found)
        self._hold(home)
        self.optimizer.state = self._replicas[0].state
        # Together the workers evaluate one effective batch.
        self.objective.count_from(functions + 1, gradients + 1)
        if together:
            self._share_buffers()
        elif (step + 1 - self.start) % self.steps == 0:
            self._synchronise()
        return StepValues(loss, norm, coefficient, lr)

    def _step_all(self, gradient: list[Tensor], found: list[bool]) -> Tensor | float:
        """Let every worker step by one gradient; return the factor that clipping applied."""
        parameters = self.objective.parameters
        for p, total, has in zip(parameters, gradient, found, strict=True):
            p.grad = total if has else None
        _, coefficient = self.objective.clip()
        clipped = [p.grad for p in parameters]
        for replica in self._replicas:
            self._hold(replica)
            # Optimizers may write into the gradient, as torch's foreach Nesterov does.
            last = replica is self._replicas[-1]
            for p, common in zip(parameters, clipped, strict=True):
                p.grad = common if last or common is None else common.clone()
            self.optimizer.step()
        self.objective.zero_grad()
        return coefficient

    def _share_buffers(self) -> None:
        """Give every worker the mean of all running statistics, as the last step leaves them."""
        weights = self._weights()
        for values in zip(*(replica.buffers for replica in self._replicas), strict=True):
            mean = mean_of(values, weights)
            for own in values:
                own.copy_(mean)
        for replica in self._replicas:
            replica.examples = 0
        for shown, common in zip(self._held().tensors(), self._replicas[0].tensors(), strict=True):
            shown.copy_(common)

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
            target.copy_(mean_of(values, weights))

    def _average_states(self) -> None:
        pairs = [(r.state, w) for r, w in zip(self._replicas, self._weights(), strict=True) if w]
        states, weights = [state for state, _ in pairs], [weight for _, weight in pairs]
        for p in dict.fromkeys(p for state in states for p in state):
            means = state_of(p, [state.get(p, {}) for state in states], weights)
            for replica in self._replicas:
                for key, mean in means.items():
                    replica.state[p][key] = mean.clone() if torch.is_tensor(mean) else mean

    def _weights(self) -> list[float]:
        total = sum(replica.examples for replica in self._replicas)
        if not total:  # nothing counted, as where all tokens are ignored
            return [1 / self.workers] * self.workers
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
