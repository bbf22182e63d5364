"""Optimizers on a quadratic without a run around them."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sgdlab.diagnostics.base import Subject
from shipped_traits import traits_of_optimizer


def subject_of(optimizer: Optimizer, *parameters: Tensor) -> Subject:
    missing: Any = None
    return Subject(
        model=nn.Module(),
        names=[str(i) for i in range(len(parameters))],
        parameters=list(parameters),
        loss=missing,
        half=None,
        optimizer=optimizer,
        traits=traits_of_optimizer(optimizer),
        data=missing,
        effective_batch_size=1,
        seed=0,
    )


def descend(optimizer: Optimizer, x: nn.Parameter, h: Tensor, steps: int) -> Tensor:
    """Return the iterates on ``½ Σ h x²``, ``[steps + 1, d]``."""
    found = [x.detach().clone()]

    def closure(gradient: bool = True) -> Tensor:
        loss = 0.5 * (h * x.detach().square()).sum()
        x.grad = h * x.detach()
        return loss

    for _ in range(steps):
        closure()
        optimizer.step(closure)  # type: ignore[arg-type]
        found.append(x.detach().clone())
    return torch.stack(found)
