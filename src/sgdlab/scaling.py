"""Rules that scale the learning rate with the batch."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

from sgdlab.errors import InputError


@dataclass(frozen=True)
class Scaling(ABC):
    """A rule that gives the learning rate used, from the base one and the effective batch ``B``.

    Attributes:
        base_batch_size: ``B0``, the effective batch at which the base learning rate was tuned:
            there, every rule returns it unchanged.

    Raises:
        InputError: ``base_batch_size`` is not a whole number from 1.
    """

    base_batch_size: int = 64

    def __post_init__(self) -> None:
        size = self.base_batch_size
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise InputError(f"scaling.base_batch_size={size}: must be a whole number from 1")

    @abstractmethod
    def __call__(self, lr: float, effective_batch_size: int) -> float:
        """Return the learning rate to use for batches of ``effective_batch_size`` examples."""


@dataclass(frozen=True)
class Unscaled(Scaling):
    """``lr``, whatever the batch; ``base_batch_size`` is accepted and has no effect."""

    def __call__(self, lr: float, effective_batch_size: int) -> float:
        """Return ``lr``."""
        return lr


@dataclass(frozen=True)
class Linear(Scaling):
    """``lr · B / B0``: for SGD, with warm-up, up to a critical batch (Goyal et al. 2017)."""

    def __call__(self, lr: float, effective_batch_size: int) -> float:
        """Return ``lr · B / B0``."""
        return lr * (effective_batch_size / self.base_batch_size)


@dataclass(frozen=True)
class SquareRoot(Scaling):
    """``lr · √(B / B0)``: keeps the variance of an SGD update as the batch grows.

    Source: Krizhevsky (2014), Hoffer et al. (2017); for Adam and RMSprop it follows from the
    limiting stochastic differential equation (Malladi et al. 2022).
    """

    def __call__(self, lr: float, effective_batch_size: int) -> float:
        """Return ``lr · √(B / B0)``."""
        return lr * math.sqrt(effective_batch_size / self.base_batch_size)
