"""Local SGD by processes: this one is a worker, which steps alone and averages now and then."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from sgdlab.optimizers.state import load_exactly
from sgdlab.steps.base import MicroBatches, StepValues, set_rates
from sgdlab.steps.means import agreed, is_count
from sgdlab.steps.objective import Objective
from sgdlab.steps.plain import PlainUpdate
from sgdlab.steps.ranks import Ranks

_TENSOR, _COUNT, _VALUE = "tensor", "count", "value"
_NOTHING = (_VALUE, None)
_Layout = list[dict[str, tuple[Any, ...]]]
"""What the optimizer remembers of each parameter: by key its kind, and shape and type or value."""


@dataclass
class WorkerUpdate:
    """The worker ``k`` of `sgdlab.steps.local.LocalUpdate`, in a process of its own.

    The arithmetic is that of the simulation: ``H`` steps alone, then all weights, buffers and
    optimizer states become ``Σ_k (n_k / n) · θ_k``; before, ``start`` synchronous steps. torch's
    own `PeriodicModelAverager` takes the plain mean of the weights alone, which leaves the momenta
    apart and is wrong where an epoch's last batch is smaller.

    The logged loss is the mean over the workers. The mean of their gradients is never formed, as
    they would have to send them: ``grad_norm`` is ``sqrt(Σ_k (n_k / n) · |g_k|²)``, of their own
    gradients.

    Attributes:
        objective: What is minimised, with the processes.
        optimizer: An optimizer that takes one gradient a step.
        steps: The steps ``H`` between two averages.
        start: The synchronous steps before the workers go apart.
        project: Called after an average, when the parameters are constrained.
    """

    objective: Objective
    optimizer: Optimizer
    steps: int
    start: int = 0
    project: Callable[[], None] | None = None
    _examples: float = field(init=False, default=0.0)
    _apart: int = field(init=False, default=0)
    _own: list[Tensor] | None = field(init=False, default=None)

    def step(
        self, step: int, update: MicroBatches, lr: float, momentum: float | None
    ) -> StepValues:
        """Make one step with this worker's micro-batches; see `Update.step`."""
        ranks, objective = self.objective.ranks, self.objective
        if ranks is None:  # a first step is tried before the processes have met
            return PlainUpdate(objective, self.optimizer).step(step, update, lr, momentum)
        self._take_back()
        ranks.sent = 0
        size = float(sum(objective.loss.total(batch) for batch in update))
        set_rates(self.optimizer, lr, momentum)
        if step < self.start:
            return self._step_together(update, size, lr)
        functions, gradients = objective.evaluations()
        told = [size, 0.0, 0.0, 0.0]
        if update:
            with objective.alone():
                loss = objective.backward(update)
            norm, factor = objective.clip()
            self.optimizer.step()
            objective.zero_grad()
            told[1:] = [size * float(value) for value in (loss, norm.double() ** 2, factor)]
        objective.count_from(functions + 1, gradients + 1)
        self._examples += size
        self._apart += 1
        total, *sums = ranks.totals(told)
        if (step + 1 - self.start) % self.steps == 0:
            self._synchronise()
        loss, squares, factor = (
            torch.tensor(each / (total or 1.0), dtype=torch.float64) for each in sums
        )
        return StepValues(loss, squares.sqrt(), factor, lr)

    def _step_together(self, update: MicroBatches, size: float, lr: float) -> StepValues:
        objective, ranks = self.objective, self._ranks
        loss = objective.backward(update)
        norm, factor = objective.clip()
        self.optimizer.step()
        objective.zero_grad()
        if statistics := [buffer.data for buffer in objective.model.buffers()]:
            weight = self._weight(size)
            for own, mean in zip(statistics, ranks.means(statistics, weight), strict=True):
                own.copy_(mean)
        return StepValues(loss, norm, factor, lr)

    @property
    def _ranks(self) -> Ranks:
        assert self.objective.ranks is not None
        return self.objective.ranks

    def sync_weights(self) -> None:
        """Put the average of the workers into the model; they go on as if it had not been.

        All processes call it at the same steps.
        """
        if self._own is not None or not self._apart:
            return
        tensors, weight = self._tensors(), self._weight(self._examples)
        means = self._ranks.means(tensors, weight)
        self._own = tensors
        self._show(means)

    def _take_back(self) -> None:
        """Put this worker's own weights into the model again."""
        if self._own is not None:
            self._show(self._own)
            self._own = None

    def _tensors(self) -> list[Tensor]:
        """Return all that is averaged in the model, without a copy."""
        parameters = [p.data for p in self.objective.parameters]
        return parameters + [b.data for b in self.objective.model.buffers()]

    def _show(self, tensors: list[Tensor]) -> None:
        places = [*self.objective.parameters, *self.objective.model.buffers()]
        for place, tensor in zip(places, tensors, strict=True):
            place.data = tensor

    def _weight(self, examples: float) -> float:
        total = self._ranks.total(examples)
        # Nothing may count at all, as where all tokens are ignored.
        return examples / total if total else 1 / self._ranks.size

    @torch.no_grad()
    def _synchronise(self) -> None:
        tensors, weight = self._tensors(), self._weight(self._examples)
        for own, mean in zip(tensors, self._ranks.means(tensors, weight), strict=True):
            own.copy_(mean)
        if self.project is not None:
            self.project()
        self._average_states(weight)
        self._examples, self._apart = 0.0, 0

    def _average_states(self, weight: float) -> None:
        """Average what the optimizers remember, as `sgdlab.steps.means.state_of`."""
        parameters, layout = self.objective.parameters, self._layout()
        told = (weight > 0, hashlib.sha256(repr(layout).encode()).hexdigest())
        every = self._ranks.gather(told)
        if len({name for _, name in every}) > 1:
            layouts = self._ranks.gather(layout)
            layout = _common([own for own, (seen, _) in zip(layouts, every, strict=True) if seen])
        tensors, counts = list[Tensor](), list[Tensor]()
        for p, kinds in zip(parameters, layout, strict=True):
            state = self.optimizer.state[p] if kinds else {}
            for key, (kind, *how) in kinds.items():
                if kind == _VALUE:
                    state[key] = how[0]
                    continue
                if not torch.is_tensor(state.get(key)):
                    shape, dtype, on_cpu = how
                    device = torch.device("cpu") if on_cpu else p.device
                    least = _least(dtype) if kind == _COUNT else 0
                    state[key] = torch.full(shape, least, dtype=dtype, device=device)
                elif kind == _COUNT and not weight:
                    state[key].fill_(_least(state[key].dtype))
                (counts if kind == _COUNT else tensors).append(state[key])
        for own, mean in zip(tensors, self._ranks.means(tensors, weight), strict=True):
            own.copy_(mean)
        for own, largest in zip(counts, self._ranks.largest(counts), strict=True):
            own.copy_(largest)

    def _layout(self) -> _Layout:
        found: _Layout = []
        for p in self.objective.parameters:
            found.append({})
            for key, value in self.optimizer.state.get(p, {}).items():
                if not torch.is_tensor(value):
                    found[-1][key] = (_VALUE, value)
                    continue
                kind = _COUNT if is_count(value, p) else _TENSOR
                place = value.device.type == "cpu"
                found[-1][key] = (kind, tuple(value.shape), value.dtype, place)
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return this worker's weights, buffers, optimizer state and examples."""
        own = self._tensors() if self._own is None else self._own
        return {
            "tensors": [t.clone() for t in own],
            "optimizer": self.optimizer.state_dict()["state"],
            "examples": self._examples,
            "apart": self._apart,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore this worker."""
        with torch.no_grad():
            for own, value in zip(self._tensors(), state["tensors"], strict=True):
                own.copy_(value)
        groups = self.optimizer.state_dict()["param_groups"]
        load_exactly(self.optimizer, {"state": state["optimizer"], "param_groups": groups})
        self._examples, self._apart = state["examples"], state["apart"]


def _common(layouts: list[_Layout]) -> _Layout:
    """Return all keys of the workers' layouts, and of each what they go on with."""
    common: _Layout = []
    for every in zip(*layouts, strict=True):
        common.append({})
        for key in dict.fromkeys(key for kinds in every for key in kinds):
            there = [kinds[key] for kinds in every if kinds.get(key, _NOTHING) != _NOTHING]
            tensors = [entry for entry in there if entry[0] != _VALUE]
            values = agreed([value for _, value, *_ in there]) if not tensors else None
            common[-1][key] = tensors[0] if tensors else (_VALUE, values)
    return common


def _least(dtype: torch.dtype) -> float:
    """Return what every number of a type is at least."""
    if dtype == torch.bool:
        return False
    return -math.inf if dtype.is_floating_point else torch.iinfo(dtype).min
