"""Any loss of many runs: each run's own loss under `torch.func`."""

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import grad_and_value, vmap

from sgdlab.losses.mean import Mean
from sgdlab.stacked.batches import Micro
from sgdlab.stacked.changing import changing
from sgdlab.stacked.general.words import in_words
from sgdlab.stacked.losses import StackedLoss
from sgdlab.steps.criterion import Criterion, StepCriterion


class GeneralLoss(StackedLoss):
    """The loss of the ordinary engine, mapped over the runs.

    Args:
        criterion: The loss of one run, without parameters.
    """

    def __init__(self, criterion: Criterion) -> None:
        self._train, self._eval = copy.deepcopy(criterion), copy.deepcopy(criterion)
        self._train.train(True)
        self._eval.train(False)
        loss = criterion.loss
        own = getattr(loss, "func", loss if inspect.isfunction(loss) else type(loss)).__module__
        self.is_sure = own.partition(".")[0] in ("sgdlab", "torch")

    @staticmethod
    def refusal(criterion: Criterion) -> str | None:
        """Return why a loss cannot be mapped over runs; None where nothing shows."""
        if isinstance(criterion, StepCriterion):
            return "a step of your own"
        if type(criterion.loss) is Mean:
            return "loss Mean is of outputs without targets"
        if reason := changing(criterion.loss):
            return reason
        if criterion.module is None:
            return None
        own = type(criterion.module)
        state: list[Tensor] = [*criterion.module.parameters()]
        if own.__module__ != nn.modules.loss.__name__:
            state += criterion.module.buffers()
        return f"loss {own.__name__} has a state" if state else None

    def of_run(self, output: Any, y: Tensor) -> Tensor:
        """Return the loss of one run in training, 0-dim."""
        return self._train(output, y)

    def target(self, y: Tensor) -> Tensor:
        """Return the targets as the data have them."""
        return y

    def value(self, output: Tensor, y: Tensor) -> Tensor:
        """See `StackedLoss.value`."""
        with in_words():
            return vmap(self._eval)(output, y.contiguous())

    def value_and_gradient(self, output: Tensor, y: Tensor, weight: Any) -> tuple[Tensor, Tensor]:
        """See `StackedLoss.value_and_gradient`."""
        with in_words():
            gradient, value = vmap(grad_and_value(self.of_run))(output, y.contiguous())
        if isinstance(weight, Tensor):
            weight = weight.to(gradient.dtype).view(-1, *[1] * (gradient.ndim - 1))
        return value, gradient.contiguous().mul_(weight)

    def counts(self, y: Tensor) -> Tensor | float:
        """See `StackedLoss.counts`."""
        if self._eval.uniform:
            return super().counts(y)
        return vmap(self._eval.counted)(y.contiguous())

    def shares(self, micros: Sequence[Micro]) -> list[Any]:
        """See `StackedLoss.shares`."""
        if self._train.uniform or len(micros) == 1:
            return super().shares(micros)
        totals = [torch.as_tensor(self.counts(y)) for _, y, _ in micros]
        whole = torch.stack(totals).sum(0)
        whole = torch.where(whole > 0, whole, 1.0)
        return [total / whole for total in totals]
