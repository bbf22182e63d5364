"""What the scalars of the steps show, without a look at parameters: the economy tier."""

from typing import Any

import numpy as np

FACTOR = 0.98
"""Factor of the exponential averages: a horizon of 1 / (1 - 0.98) = 50 steps."""

COLUMNS = ("loss_average", "clipped_grad_norm", "clipped_share", "oscillation")

# One run has numbers, a stack of runs arrays [runs]: the arithmetic is the same, bit for bit.
Values = Any


def is_due(step: int, every: int) -> bool:
    """Say whether a step, counted from 1, is the first or a multiple of ``every``."""
    return step == 1 or step % every == 0


class Running:
    """Running averages over the steps of one run, or of many runs at the same step.

    With ``λ = 0.98`` and the loss ``ℓ_t`` of step ``t``:

    - ``loss_average``: ``a_t = Σ_k λ^(t-k)·ℓ_k / Σ_k λ^(t-k)``.
    - ``clipped_grad_norm``: ``clip_coef · grad_norm``, the norm of the gradient that was applied.
    - ``clipped_share``: share of the steps since the last row of these columns with
      ``clip_coef < 1``.
    - ``oscillation``: lag-1 autocorrelation of the loss about its average,
      ``Σ_k λ^(t-k)·r_k·r_{k-1} / Σ_k λ^(t-k)·r_k²`` with ``r_t = ℓ_t - a_{t-1}``. About 0 where
      batches differ by chance alone; towards -1 where the loss goes up and down from step to
      step; positive while it has a trend. NaN where the loss has not moved.

    Args:
        every: Steps between two rows that have the columns.
        state: What `state` returned, to go on from.
    """

    def __init__(self, every: int, state: Values | None = None) -> None:
        self.every = every
        self._fresh = state is None
        self._state: list[Values] = [0.0] * 7 if state is None else list(state)

    def add(self, step: int, loss: Values, norm: Values, factor: Values) -> Values | None:
        """Take the scalars of a step; return its values of `COLUMNS` if it is due.

        Args:
            step: Counted from 1.
            loss: Loss of the step.
            norm: Norm of its gradient before clipping.
            factor: The factor ``clip_coef`` of clipping.
        """
        total, weight, products, squares, last, clipped, since = self._state
        residual = loss * 0.0 if self._fresh else loss - total / weight
        self._fresh = False
        total = FACTOR * total + loss
        weight = FACTOR * weight + 1.0
        products = FACTOR * products + residual * last
        squares = FACTOR * squares + residual * residual
        clipped = clipped + (factor < 1.0)
        since = since + 1.0
        found = None
        if is_due(step, self.every):
            found = (total / weight, factor * norm, clipped / since, _ratio(products, squares))
            clipped, since = clipped * 0.0, since * 0.0
        self._state = [total, weight, products, squares, residual, clipped, since]
        return found

    def state(self, run: int | None = None) -> list[float]:
        """Return what a resumed run needs; of one of many runs, if they are many."""
        if run is None:
            return [float(value) for value in self._state]
        return [float(v) if np.ndim(v) == 0 else float(v[run]) for v in self._state]

    def keep(self, runs: list[int]) -> None:
        """Go on with some of many runs."""
        self._state = [v if np.ndim(v) == 0 else v[runs] for v in self._state]


def _ratio(above: Values, below: Values) -> Values:
    if np.ndim(below) == 0:
        return above / below if below > 0 else float("nan")
    with np.errstate(invalid="ignore", divide="ignore"):  # where the loss has not moved
        return np.where(below > 0, above / below, np.nan)
