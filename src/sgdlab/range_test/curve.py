"""What a range test leaves: the loss by rate, and its running average."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class LossAverage:
    """Exponential average with the correction for its start.

    ``a_i = β·a_{i-1} + (1 - β)·l_i`` from ``a_{-1} = 0``, and what is returned is
    ``â_i = a_i / (1 - β^(i+1))``: a weighted mean of the losses so far, the latest weighing most
    (Gugger 2018, "How Do You Find A Good Learning Rate", with β = .98; the correction is that of
    Kingma and Ba 2015). It is late by ``β / (1 - β)`` points, so the curve's minimum is to the
    right of that of the loss.

    Args:
        beta: ``β``; 0 leaves the losses as they are.
    """

    def __init__(self, beta: float) -> None:
        self._beta = beta
        self._sum = 0.0
        self._missing = 1.0

    def add(self, loss: float) -> float:
        """Take a loss; return the average with it."""
        self._sum = self._beta * self._sum + (1 - self._beta) * loss
        self._missing *= self._beta
        return self._sum / (1 - self._missing)


@dataclass(frozen=True)
class Point:
    """What one rate did.

    Attributes:
        lr: The rate as it is typed, before scaling with the batch.
        lr_used: The rate of the update.
        loss: Mean over the batch *after* that of the update, at the parameters after it: the first
            loss that the rate has had a part in. May be infinite or NaN in the last point.
        smoothed: Average of the losses up to here; None where the loss is not finite.
        val_loss: Loss over the validation split at the same parameters, where it was asked for.
    """

    lr: float
    lr_used: float
    loss: float
    smoothed: float | None
    val_loss: float | None


@dataclass(frozen=True)
class RangeCurve:
    """All points of a range test.

    Attributes:
        points: The points in the order of their rates.
        initial_loss: Loss of the first batch at the initial parameters.
        beta: The factor of the average.
        optimum: Smallest value that the loss can have, where it is known; else 0.
        stopped: Why it ended before the last rate; None: it did not.
    """

    points: tuple[Point, ...]
    initial_loss: float
    beta: float
    optimum: float
    stopped: str | None

    @property
    def has_val(self) -> bool:
        """Whether the validation loss was measured."""
        return any(point.val_loss is not None for point in self.points)

    @property
    def is_scaled(self) -> bool:
        """Whether the rates used differ from those that are typed."""
        return any(point.lr_used != point.lr for point in self.points)

    def read(self) -> "Reading":
        """Return what suggestions are read from: the validation loss, else the smoothed loss."""
        values = [p.val_loss if self.has_val else p.smoothed for p in self.points]
        finite = [
            (p.lr, value, p.loss)
            for p, value in zip(self.points, values, strict=True)
            if value is not None and math.isfinite(value) and math.isfinite(p.loss)
        ]
        table = np.array(finite, dtype=np.float64).reshape(-1, 3)
        return Reading(table[:, 0], table[:, 1], table[:, 2], None if self.has_val else self.beta)

    def visible(self) -> tuple["Reading", float]:
        """Return the curve up to where it leaves a picture, and the upper end of the picture.

        The picture ends half a fall above the losses before the minimum: a loss that explodes would
        flatten all else. Losses of batches above it are NaN.
        """
        whole = self.read()
        if not len(whole.lrs):
            return whole, 0.0
        place = int(np.argmin(whole.values))
        low = float(whole.values[place])
        high = float(max(np.max(whole.values[: place + 1]), self.initial_loss))
        top = high + 0.5 * (high - low or abs(high) or 1.0)
        above = np.flatnonzero(whole.values > top)
        end = int(above[0]) if len(above) else len(whole.lrs)
        losses = np.where(whole.losses <= top, whole.losses, np.nan)
        return Reading(whole.lrs[:end], whole.values[:end], losses[:end], whole.beta), top


@dataclass(frozen=True)
class Reading:
    """A curve as arrays over its finite points.

    Attributes:
        lrs: Rates ``[n]``, rising.
        values: Smoothed loss or validation loss ``[n]``.
        losses: Losses of the batches ``[n]``.
        beta: The factor of the average in ``values``; None for the validation loss.
    """

    lrs: Array
    values: Array
    losses: Array
    beta: float | None

    @property
    def label(self) -> str:
        """What ``values`` are called in a picture."""
        return "validation loss" if self.beta is None else "smoothed loss"

    def batch_noise(self) -> float:
        """Return ``σ``, the standard deviation of a batch's loss; 0 for the validation loss.

        ``median |l_{i+1} - l_i| / (√2·.6745)``, right for normal losses: differences hardly see a
        trend, and the median neither a few steep steps nor the explosion at the end.
        """
        if self.beta is None or len(self.losses) < 2:
            return 0.0
        return float(np.median(np.abs(np.diff(self.losses)))) / (math.sqrt(2) * 0.6745)

    def noise(self, index: int) -> float:
        """Return the standard deviation of ``values[index]`` that comes from the batches.

        ``σ·√((1 - β)/(1 + β)·(1 + β^n)/(1 - β^n))`` for the average of ``n`` losses; 0 for the
        validation loss.
        """
        if self.beta is None:
            return 0.0
        whole, part = (1 - self.beta) / (1 + self.beta), self.beta ** (index + 1)
        return self.batch_noise() * math.sqrt(whole * (1 + part) / (1 - part))
