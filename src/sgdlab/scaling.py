"""Rules that scale the learning rate with the batch."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from sgdlab.checks import lies_in, require_number, require_whole
from sgdlab.errors import InputError


@dataclass(frozen=True)
class Scaling(ABC):
    """A rule that gives the learning rate used, from the base one and the effective batch ``B``.

    ``lr_used = candidate · rule(lr, B)``. A rule is a first guess, whose users are told to test a
    lower and a higher learning rate, too: ``candidates=[0.5,1,2]`` makes one run of each.

    Attributes:
        base_batch_size: ``B0``, the effective batch at which the base learning rate was tuned:
            there, every rule returns it unchanged.
        candidates: Factors to try around the rule. ``train -m`` and ``compare`` make each of
            their jobs one job per factor, with ``candidate`` set; in a single run they have no
            effect.
        candidate: The factor of this run.

    Raises:
        InputError: ``base_batch_size`` is not a whole number from 1, or a candidate is not a
            positive number or is listed twice.
    """

    base_batch_size: int = 64
    candidates: Sequence[float] = ()
    candidate: float = 1.0

    def __post_init__(self) -> None:
        require_whole("scaling.base_batch_size", self.base_batch_size)
        require_number("scaling.candidate", self.candidate, open_low=True)
        checked_candidates(self.candidates)

    def __call__(self, lr: float, effective_batch_size: int) -> float:
        """Return the learning rate to use for batches of ``effective_batch_size`` examples."""
        return self.candidate * self.rule(lr, effective_batch_size)

    @abstractmethod
    def rule(self, lr: float, effective_batch_size: int) -> float:
        """Return what the rule alone makes of ``lr``."""


def checked_candidates(candidates: object) -> list[float]:
    """Return ``scaling.candidates`` as floats, in their order.

    Raises:
        InputError: Not a list of positive numbers, each once.
    """
    right = "must be a list of positive numbers, such as [0.5,1,2]"
    if not isinstance(candidates, Sequence) or isinstance(candidates, str):
        raise InputError(f"scaling.candidates={candidates}: {right}")
    shown = f"scaling.candidates=[{','.join(map(str, candidates))}]"
    factors = [float(value) for value in candidates if lies_in(value, 0, open_low=True)]
    if len(factors) < len(candidates):
        raise InputError(f"{shown}: {right}")
    if len(set(factors)) < len(factors):
        raise InputError(f"{shown}: names a factor twice, which would be the same run twice")
    return factors


@dataclass(frozen=True)
class Unscaled(Scaling):
    """``lr``, whatever the batch; ``base_batch_size`` is accepted and has no effect."""

    def rule(self, lr: float, effective_batch_size: int) -> float:
        """Return ``lr``."""
        return lr


@dataclass(frozen=True)
class Linear(Scaling):
    """``lr · B / B0``: for SGD, with warm-up, up to a critical batch (Goyal et al. 2017)."""

    def rule(self, lr: float, effective_batch_size: int) -> float:
        """Return ``lr · B / B0``."""
        return lr * (effective_batch_size / self.base_batch_size)


@dataclass(frozen=True)
class SquareRoot(Scaling):
    """``lr · √(B / B0)``: keeps the variance of an SGD update as the batch grows.

    Source: Krizhevsky (2014), Hoffer et al. (2017); for Adam and RMSprop it follows from the
    limiting stochastic differential equation (Malladi et al. 2022).
    """

    def rule(self, lr: float, effective_batch_size: int) -> float:
        """Return ``lr · √(B / B0)``."""
        return lr * math.sqrt(effective_batch_size / self.base_batch_size)


@dataclass(frozen=True)
class Gentle(Scaling):
    """``lr · f^log₂(B / B0)``: times ``f`` per doubling of the batch, by ``f`` per halving.

    The practitioners' rule: when the batch doubles, multiply the learning rate by 1.5 to 2; when
    it halves, take ½ to ⅔ of it. In between the published rules: ``f = 2`` is `Linear`, and
    ``f = √2``, below the range, would be `SquareRoot`. As a power of the batch it is
    ``lr · (B / B0)^log₂(f)``, with the exponent .77 for 1.7. There is no theory behind a value of
    ``f``: test its neighbours with ``candidates``.

    Attributes:
        factor: ``f``, from 1.5 to 2.

    Raises:
        InputError: ``f`` outside its range, and as `Scaling`.
    """

    factor: float = 1.7

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("scaling.factor", self.factor, 1.5, 2)

    def rule(self, lr: float, effective_batch_size: int) -> float:
        """Return ``lr · f^log₂(B / B0)``."""
        return lr * self.factor ** math.log2(effective_batch_size / self.base_batch_size)
