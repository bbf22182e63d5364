"""The gradient noise scale from squared norms of gradients, without single-example gradients."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Norms = float | Sequence[float] | NDArray[np.float64]


@dataclass(frozen=True)
class NoiseScale:
    """Size of a gradient against that of its noise.

    Attributes:
        trace: ``trΣ``, the summed variances of a single example's gradient; in the squared units
            of the gradient.
        square: ``|G|²`` of the mean gradient. An estimate, so it may come out negative.
    """

    trace: float
    square: float

    @property
    def scale(self) -> float:
        """``trΣ / |G|²``, the batch size at which noise and gradient are of one size; in examples.

        NaN where ``|G|²`` came out at or below 0: then there is too much noise to tell.
        """
        return self.trace / self.square if self.square > 0 else float("nan")


def two_batches(
    small: Norms,
    large: Norms,
    small_batch: int,
    large_batch: int,
    examples: int | None = None,
) -> NoiseScale:
    """Estimate the noise scale from squared gradient norms at two batch sizes.

    A mean gradient over ``B`` examples has ``E|g|² = |G|² + trΣ/B``. Two sizes ``b < B`` give

        ``|G|² = (B·|g_B|² - b·|g_b|²) / (B - b)``,  ``trΣ = (|g_b|² - |g_B|²) / (1/b - 1/B)``,

    both without bias, whereas their quotient from few batches is biased: so the norms of many
    batches are averaged first and divided once, in `NoiseScale.scale`.

    Batches drawn *without replacement* from ``N`` examples, as those of an epoch are, have
    ``E|g|² = |G|² + trΣ·(1/B - 1/N)`` with ``trΣ`` normalised by ``N - 1``: the estimate of
    ``trΣ`` stands, that of ``|G|²`` is low by ``trΣ/N``, which is added when ``examples`` is given.

    Args:
        small: Squared norms ``|g_b|²`` of one or more batches of ``small_batch`` examples.
        large: Squared norms ``|g_B|²``, at the same parameters; as many or fewer.
        small_batch: ``b``, from 1.
        large_batch: ``B``, above ``b``.
        examples: ``N``, when batches are drawn without replacement; None for independent draws.

    Raises:
        ValueError: Sizes that are not ``1 <= b < B <= N``, or no norms.

    Source: McCandlish, Kaplan, Amodei et al. (2018), "An empirical model of large-batch training",
    appendix A.1.
    """
    if not 1 <= small_batch < large_batch <= (examples or large_batch):
        raise ValueError(f"batches of {small_batch} and {large_batch} of {examples} examples")
    if np.size(small) == 0 or np.size(large) == 0:
        raise ValueError("no gradient norms")
    at_small, at_large = float(np.mean(small)), float(np.mean(large))
    trace = (at_small - at_large) / (1 / small_batch - 1 / large_batch)
    square = (large_batch * at_large - small_batch * at_small) / (large_batch - small_batch)
    if examples is not None:
        square += trace / examples
    return NoiseScale(trace, square)
