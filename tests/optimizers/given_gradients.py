"""Optimizers on gradients that are given, so that two implementations see the same ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

SHAPES = ((7, 5), (4, 3, 2), (6,))
"""A matrix, a kernel, and a vector as a bias is."""


def weights(seed: int = 0, shapes: Sequence[tuple[int, ...]] = SHAPES) -> list[Tensor]:
    """Return float64 leaves."""
    generator = torch.Generator().manual_seed(seed)
    made = [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]
    return [p.requires_grad_() for p in made]


def gradients(
    steps: int, seed: int = 1, shapes: Sequence[tuple[int, ...]] = SHAPES
) -> list[list[Tensor]]:
    """Return ``steps`` lists of random gradients with a drift, so that moments settle."""
    generator = torch.Generator().manual_seed(seed)
    drift = [torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]
    return [
        [d + torch.randn(d.shape, generator=generator, dtype=torch.float64) for d in drift]
        for _ in range(steps)
    ]


def groups(params: Sequence[Tensor], **of_vectors: float) -> list[dict[str, Any]]:
    """Return two groups: tensors with ``ndim > 1``, and the rest with settings of their own."""
    return [
        {"params": [p for p in params if p.ndim > 1]},
        {"params": [p for p in params if p.ndim <= 1], **of_vectors},
    ]


def follow(
    optimizer: Optimizer,
    params: Sequence[Tensor],
    given: Sequence[Sequence[Tensor]],
    rates: Callable[[int], float] | None = None,
) -> Iterator[int]:
    """Make the steps of ``given`` one by one; yield each step's number, from 0, after it.

    Args:
        optimizer: Over ``params``.
        params: Get copies of the gradients, as some packages write into them.
        given: Gradients of all steps.
        rates: ``lr`` of a step; by default it is left alone.
    """
    for step, gs in enumerate(given):
        for p, g in zip(params, gs, strict=True):
            p.grad = g.clone()
        if rates is not None:
            for group in optimizer.param_groups:
                group["lr"] = rates(step) * group.get("lr_multiplier", 1.0)
        optimizer.step()
        yield step


def run(
    cls: Callable[..., Optimizer],
    settings: Mapping[str, Any],
    given: Sequence[Sequence[Tensor]],
    rates: Callable[[int], float] | None = None,
    start: Sequence[Tensor] | None = None,
    **of_vectors: float,
) -> list[np.ndarray]:
    """Return the weights after all steps of ``given``."""
    params = list(start) if start is not None else weights()
    optimizer = cls(groups(params, **of_vectors), **settings)
    for _ in follow(optimizer, params, given, rates):
        pass
    return [p.detach().numpy().copy() for p in params]


def assert_same(ours: Sequence[np.ndarray], others: Sequence[np.ndarray]) -> None:
    """Assert equality to 1e-10 and that something moved."""
    starts = [p.detach().numpy() for p in weights()]
    for a, b, start in zip(ours, others, starts[: len(ours)], strict=True):
        assert np.abs(a - start).max() > 1e-6
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)
