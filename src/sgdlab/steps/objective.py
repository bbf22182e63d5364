"""Loss and gradient of a model over the batches of an update."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, _foreach_mul_, _foreach_norm, nn  # pyright: ignore[reportPrivateImportUsage]

from sgdlab.datasets.base import Split
from sgdlab.steps.base import MicroBatches
from sgdlab.steps.compiled import CompiledLoss
from sgdlab.steps.criterion import Criterion
from sgdlab.steps.precision import LossScale, autocast
from sgdlab.steps.ranks import Ranks

_ALONE = contextlib.nullcontext()


def gradient_norm(gradients: list[Tensor]) -> Tensor:
    """Return the global L2 norm ``sqrt(sum_i |g_i|^2)`` of all gradients, a 0-dim tensor."""
    return torch.linalg.vector_norm(torch.stack(_foreach_norm(gradients)))


def clip(gradients: list[Tensor], norm: Tensor, clip_norm: float) -> Tensor:
    """Scale ``gradients`` in place by ``min(1, clip_norm / (norm + 1e-6))``; return the factor.

    Pascanu, Mikolov & Bengio 2013, with the constant of `torch.nn.utils.clip_grad_norm_`.
    """
    coefficient = (clip_norm / (norm + 1e-6)).clamp(max=1.0)
    _foreach_mul_(gradients, coefficient)
    return coefficient


def clip_values(gradients: list[Tensor], clip_value: float) -> None:
    """Limit every element of ``gradients`` in place to ``[-clip_value, clip_value]``.

    As `torch.nn.utils.clip_grad_value_`.
    """
    for gradient in gradients:
        gradient.clamp_(-clip_value, clip_value)


@dataclass
class Objective:
    """What is minimised: ``loss(model(x), y)``, a mean over the examples of an update.

    Attributes:
        model: The model, in training mode while steps are made.
        loss: The loss of a batch, a mean over its examples.
        parameters: The trainable parameters.
        clip_norm: The largest global L2 norm of the gradient; None for no clipping.
        half: The type that the forward pass is autocast to; None: it is not.
        clip_value: The largest size of an element of the gradient, limited before ``clip_norm``;
            None for no clipping.
        on_gradient: Called when ``p.grad`` holds the gradient of a step, before it is clipped.
        loss_scale: The factor on losses whose gradients are float16; None for no factor.
        compiled: Computes the loss of a whole micro-batch faster; None: nothing does.
        function_evaluations: How often the loss of an update was computed.
        gradient_evaluations: How often its gradient was computed.
        ranks: The processes that train together, each with its part of every micro-batch; None:
            this one has all.
    """

    model: nn.Module
    loss: Criterion
    parameters: list[Tensor]
    clip_norm: float | None
    half: torch.dtype | None
    clip_value: float | None = None
    on_gradient: Callable[[], None] | None = None
    loss_scale: LossScale | None = None
    compiled: CompiledLoss | None = None
    function_evaluations: int = 0
    gradient_evaluations: int = 0
    ranks: Ranks | None = None

    def evaluations(self) -> tuple[int, int]:
        """Return how often the loss of an update was computed, and how often its gradient."""
        return self.function_evaluations, self.gradient_evaluations

    def count_from(self, function_evaluations: int, gradient_evaluations: int) -> None:
        """Go on counting from these."""
        self.function_evaluations = function_evaluations
        self.gradient_evaluations = gradient_evaluations

    def _forward(self, batch: Split) -> Tensor:
        with autocast(batch.y.device, self.half):
            return self.loss.of(self.model, batch)

    def _forward_fast(self, batch: Split) -> Tensor:
        if self.compiled is None or not self.compiled.takes(batch):
            return self._forward(batch)
        with autocast(batch.y.device, self.half):
            return self.compiled.of(batch)

    def backward(self, update: MicroBatches) -> Tensor:
        """Leave the gradient of an update in ``p.grad``, on top of what is there; return its loss.

        An accumulated gradient is exactly that of the one large batch, since every micro-batch
        weighs by what its examples count: ``g = sum_i (n_i / n) * grad mean_loss_i``, with ``n_i``
        the examples, or the sum of their weights; see `Criterion.total`. Where there is a
        ``loss_scale`` it is left multiplied by that. With several processes gradient and loss are
        those of all their micro-batches, the same in each of them.
        """
        self.function_evaluations += 1
        self.gradient_evaluations += 1
        shares, scale = self._shares(update), self.loss_scale
        losses: list[Tensor] = []
        with self._together():
            for batch, share in zip(update, shares, strict=True):
                loss = self._forward_fast(batch)
                if len(update) > 1 or self.ranks is not None:
                    loss = loss * share
                (loss if scale is None else scale.scaled(loss)).backward()
                losses.append(loss.detach())
        if self.ranks is None:
            return losses[0] if len(losses) == 1 else torch.stack(losses).sum()
        self.ranks.sum_gradients(self.parameters)
        return self.ranks.sum(self._added(losses))

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Let loss and gradient be those of this process's batches alone, in the block."""
        ranks, self.ranks = self.ranks, None
        try:
            yield
        finally:
            self.ranks = ranks

    def _together(self) -> AbstractContextManager[None]:
        return _ALONE if self.ranks is None else self.ranks.within_a_step()

    def _added(self, losses: list[Tensor]) -> Tensor:
        """Return the sum of losses; 0 where this process has no part of the update."""
        return torch.stack(losses).sum() if losses else self.parameters[0].detach().new_zeros(())

    def _shares(self, update: MicroBatches) -> list[Any]:
        if len(update) == 1 and self.ranks is None:
            return [1.0]
        totals = [self.loss.total(batch) for batch in update]
        whole = sum(totals)
        if self.ranks is not None:
            whole = self.ranks.total(float(whole)) or 1.0
        if isinstance(whole, Tensor):  # nothing may count at all
            whole = torch.where(whole > 0, whole, 1.0)
        return [total / whole for total in totals]

    @torch.no_grad()
    def value(self, update: MicroBatches) -> Tensor:
        """Return the loss of an update without its gradient; the caller counts it."""
        pairs = zip(update, self._shares(update), strict=True)
        with self._together():
            losses = [self._forward(batch) * share for batch, share in pairs]
        total = self._added(losses)
        return total if self.ranks is None else self.ranks.sum(total)

    def clip(self) -> tuple[Tensor, Tensor | float]:
        """Clip the gradient, by value and then by norm.

        Returns:
            Its norm before, and the factor that its length took: ``‖g after‖ / ‖g before‖``.
        """
        self.show()
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norm = left = self._norm(gradients)
        factor: Tensor | float = 1.0
        if self.clip_value is not None:
            clip_values(gradients, self.clip_value)
            left = self._norm(gradients)
            factor = torch.where(norm > 0, left / norm, torch.ones_like(norm))
        if self.clip_norm is not None:
            factor = factor * clip(gradients, left, self.clip_norm)
        return norm, factor

    def _norm(self, gradients: list[Tensor]) -> Tensor:
        norm = gradient_norm(gradients)
        return norm if self.ranks is None else self.ranks.whole(norm)

    def show(self) -> None:
        """Let whoever watches see the gradient."""
        if self.on_gradient is not None:
            self.on_gradient()

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for p in self.parameters:
            p.grad = None
