"""Two examples of a batch averaged, inputs and targets."""

import random
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Pairing(NamedTuple):
    """Which examples are averaged: ``order [n]`` has the other one, ``share`` is the first's."""

    order: Tensor
    share: float


def pairing(count: int, alpha: float, seed: int) -> Pairing:
    """Draw a permutation of a batch, and one share ``λ`` from ``Beta(alpha, alpha)`` for all."""
    generator = torch.Generator().manual_seed(seed)
    share = random.Random(seed).betavariate(alpha, alpha)
    return Pairing(torch.randperm(count, generator=generator), share)


def mixup(values: Tensor, pair: Pairing) -> Tensor:
    """Return ``λ·v_i + (1 - λ)·v_j`` for every example ``i`` and its partner ``j``.

    Source: Zhang et al. (2018).
    """
    return pair.share * values + (1 - pair.share) * values.index_select(0, pair.order)


def shares_of(labels: Tensor, classes: int, dtype: torch.dtype) -> Tensor:
    """Return labels ``[n]`` as shares of the classes, ``[n, classes]``: 1 of the true one."""
    return F.one_hot(labels, classes).to(dtype)
