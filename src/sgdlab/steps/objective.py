"""Loss and gradient of a model over the batches of an update."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, _foreach_mul_, _foreach_norm, nn  # pyright: ignore[reportPrivateImportUsage]

from sgdlab.steps.base import MicroBatches

_NO_CONTEXT = contextlib.nullcontext()


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


@dataclass
class Objective:
    """What is minimised: ``loss(model(x), y)``, a mean over the examples of an update.

    Attributes:
        model: The model, in training mode while steps are made.
        loss: The loss, called ``loss(output, target)``; a mean over examples.
        parameters: The trainable parameters.
        clip_norm: The largest global L2 norm of the gradient; None for no clipping.
        bf16: Whether the forward pass is autocast.
        on_gradient: Called when ``p.grad`` holds the gradient of a step, before it is clipped.
        function_evaluations: How often the loss of an update was computed.
        gradient_evaluations: How often its gradient was computed.
    """

    model: nn.Module
    loss: Callable[[Tensor, Tensor], Tensor]
    parameters: list[Tensor]
    clip_norm: float | None
    bf16: bool
    on_gradient: Callable[[], None] | None = None
    function_evaluations: int = 0
    gradient_evaluations: int = 0

    def evaluations(self) -> tuple[int, int]:
        """Return how often the loss of an update was computed, and how often its gradient."""
        return self.function_evaluations, self.gradient_evaluations

    def count_from(self, function_evaluations: int, gradient_evaluations: int) -> None:
        """Go on counting from these."""
        self.function_evaluations = function_evaluations
        self.gradient_evaluations = gradient_evaluations

    def _forward(self, x: Tensor, y: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16) if self.bf16 else _NO_CONTEXT:
            return self.loss(self.model(x), y)

    def backward(self, update: MicroBatches) -> Tensor:
        """Leave the gradient of an update in ``p.grad``, on top of what is there; return its loss.

        An accumulated gradient is exactly that of the one large batch, since every micro-batch
        weighs by its examples: ``g = sum_i (n_i / n) * grad mean_loss_i``.
        """
        self.function_evaluations += 1
        self.gradient_evaluations += 1
        size = sum(len(y) for _, y in update)
        losses: list[Tensor] = []
        for x, y in update:
            loss = self._forward(x, y)
            if len(update) > 1:
                loss = loss * (len(y) / size)
            loss.backward()
            losses.append(loss.detach())
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()

    @torch.no_grad()
    def value(self, update: MicroBatches) -> Tensor:
        """Return the loss of an update without its gradient; the caller counts it."""
        size = sum(len(y) for _, y in update)
        return torch.stack([self._forward(x, y) * (len(y) / size) for x, y in update]).sum()

    def clip(self) -> tuple[Tensor, Tensor | float]:
        """Clip the gradient; return its norm before, and the factor applied."""
        self.show()
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norm = gradient_norm(gradients)
        return norm, 1.0 if self.clip_norm is None else clip(gradients, norm, self.clip_norm)

    def show(self) -> None:
        """Let whoever watches see the gradient."""
        if self.on_gradient is not None:
            self.on_gradient()

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for p in self.parameters:
            p.grad = None
