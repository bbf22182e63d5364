"""The loss of a batch, and how much the batch counts in the mean over several."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from sgdlab.datasets.base import Split
from sgdlab.errors import InputError
from sgdlab.losses.contract import WeightOf, by_row, refuse_sum, weight_of
from sgdlab.losses.mean import Mean
from sgdlab.models.outputs import described, outputs_of


class Criterion:
    """The mean of a loss over examples: ``L = Σ_i w_i·c_i·l_i / Σ_i w_i·c_i``.

    ``l_i`` is the loss of an example, ``w_i`` its weight in the data, and ``c_i`` the weight that
    the loss gives it: that of its class, or how many of its tokens are not ignored. Where both are
    1 for all, it is ``loss(output, target)`` itself.

    Args:
        loss: Called ``loss(output, target)``; see `sgdlab.losses.contract`.
        weighted: Whether examples have weights of their own.

    Raises:
        InputError: A loss that says that it is a sum.
    """

    def __init__(self, loss: Callable[[Any, Tensor], Tensor], weighted: bool = False) -> None:
        refuse_sum(loss)
        self.loss = loss
        self._weight_of: WeightOf | None = weight_of(loss)
        self.uniform = self._weight_of is None and not weighted
        """Whether all examples count alike."""
        self.module = loss if isinstance(loss, nn.Module) else None
        """The loss, where it has parameters and buffers of its own."""

    def train(self, mode: bool = True) -> None:
        """Put the loss into training or evaluation, as the model."""
        if self.module is not None:
            self.module.train(mode)

    def state_dict(self) -> dict[str, Any]:
        """Return the parameters and buffers of the loss; nothing for a function."""
        return {} if self.module is None else self.module.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        if self.module is not None:
            self.module.load_state_dict(state)

    @functools.cached_property
    def _by_row(self) -> Callable[[Any, Tensor], Tensor]:
        """``c_i·l_i`` of each example, ``[n]``."""
        return by_row(self.loss) or self._each

    def _each(self, output: Any, target: Tensor) -> Tensor:
        values = self.loss(output, target)
        if values.ndim and len(values) == len(target):
            values = values.reshape(len(target), -1).mean(1)
        else:
            values = self._one_by_one(output, target)
        return values if self._weight_of is None else values * self._weight_of(target)

    def _one_by_one(self, output: Any, target: Tensor) -> Tensor:
        def single(output: Any, target: Tensor) -> Tensor:
            return self.loss(tree_map(lambda t: t[None], output), target[None]).reshape(())

        try:
            return torch.func.vmap(single)(output, target)
        except Exception:  # whatever cannot be vectorised
            rows = range(len(target))
            return torch.stack(
                [single(tree_map(lambda t, r=r: t[r], output), target[r]) for r in rows]
            )

    def __call__(self, output: Any, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return the mean over the examples of a batch, 0-dim.

        Args:
            output: What the model returned.
            target: The targets, with a row per example.
            weight: What each example counts, ``[n]``; None: all alike.

        Raises:
            InputError: The loss returns neither one number nor values by example.
        """
        if self._weight_of is None and weight is None:
            return _mean(self.loss(output, target), len(target))
        rows = self._by_row(output, target)
        if weight is not None:
            rows = rows * weight.to(rows.dtype)
        whole = self._counts(target, weight).to(rows.dtype)
        # A batch in which nothing counts has the loss 0, not 0/0.
        return rows.sum() / torch.where(whole > 0, whole, 1.0)

    def _counts(self, target: Tensor, weight: Tensor | None) -> Tensor:
        own = self._weight_of(target) if self._weight_of is not None else None
        counts = weight if own is None else own if weight is None else own * weight
        assert counts is not None
        return counts.double().sum()

    def counted(self, target: Tensor) -> Tensor:
        """Return what targets count by the loss alone, ``Σ_i c_i``, where they are not uniform."""
        return self._counts(target, None)

    def total(self, batch: Split) -> float | Tensor:
        """Return what a batch counts in a mean over several: ``Σ_i w_i·c_i``, or its examples."""
        if self._weight_of is None and batch.weight is None:
            return len(batch.y)
        return self._counts(batch.y, batch.weight)

    def measure(self, model: nn.Module, batch: Split, exact: bool = False) -> tuple[Tensor, Any]:
        """Return the mean loss of a batch, and the outputs that it was computed from.

        Args:
            model: The model.
            batch: The batch.
            exact: Average values that are losses already, as of test problems, in float64.
        """
        output = outputs_of(model, batch.x)
        if exact and isinstance(self.loss, Mean):
            output = output.double()
        return self(output, batch.y, batch.weight), output

    def of(self, model: nn.Module, batch: Split) -> Tensor:
        """Return the mean loss of a batch."""
        return self.measure(model, batch)[0]


class StepCriterion(Criterion):
    """A user's ``step(model, batch) -> loss`` or ``(loss, metrics)``: all of a forward pass.

    The loss is a mean over the examples of the batch, metrics a mapping of numbers likewise. The
    batch is ``(x, y)``, or the mapping that the data are.

    Args:
        step: The user's function.
        target_name: The key of the target in a mapping; None: it has none.
    """

    def __init__(self, step: Callable[..., Any], target_name: str | None) -> None:
        super().__init__(step)
        self._target_name = target_name
        self.uniform = False

    def __call__(self, output: Any, target: Tensor, weight: Tensor | None = None) -> Tensor:
        """Refuse: the loss is not a function of outputs.

        Raises:
            InputError: Always.
        """
        raise InputError("a step of your own has no loss of outputs alone: diagnostics=economy")

    def measure(self, model: nn.Module, batch: Split, exact: bool = False) -> tuple[Tensor, Any]:
        """Return the loss of a batch, and its metrics.

        Raises:
            InputError: The step returns something else.
        """
        whole: Any = (batch.x, batch.y)
        if isinstance(batch.x, Mapping):
            whole = dict(batch.x)
            if self._target_name is not None:
                whole[self._target_name] = batch.y
        found = self.loss(model, whole)
        value, metrics = found if isinstance(found, tuple) and len(found) == 2 else (found, {})
        if not isinstance(value, Tensor) or value.ndim or not isinstance(metrics, Mapping):
            raise InputError(
                "step(model, batch) has to return the loss, a tensor of no axes, or "
                f"(loss, {{name: number}}); it returned {type(found).__name__}"
            )
        return value, metrics


def _mean(value: Any, examples: int) -> Tensor:
    """Return the mean of what a loss returned."""
    if not isinstance(value, Tensor):
        what = described(value)
    elif not value.ndim:
        return value
    elif len(value) == examples:
        return value.mean()
    elif value.numel() == 1:
        return value.reshape(())
    else:
        what = f"{list(value.shape)} for {examples} examples"
    raise InputError(
        "a loss has to return one number, the mean over the batch, or values [n, …]; it gave "
        f"{what}"
    )
