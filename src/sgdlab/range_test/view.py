"""The part of a curve that a picture shows."""

from dataclasses import dataclass

import numpy as np

from sgdlab.range_test.curve import Array
from sgdlab.range_test.finding import RangeResult


@dataclass(frozen=True)
class RangeDisplay:
    """What is drawn of one curve.

    Attributes:
        label: Of the values.
        lrs: Rates ``[n]``.
        values: Smoothed loss or validation loss ``[n]``.
        losses: Of the batches ``[n]``, those above the picture as NaN.
        top: Upper end of the picture.
    """

    label: str
    lrs: Array
    values: Array
    losses: Array
    top: float


def window(finding: RangeResult) -> RangeDisplay:
    """Return a curve up to where it leaves the picture.

    The picture ends half a fall above the losses before the minimum: a loss that explodes would
    flatten all else.
    """
    reading = finding.curve.read()
    label = "validation loss" if finding.curve.has_val else "smoothed loss"
    if not len(reading.lrs):
        return RangeDisplay(label, reading.lrs, reading.values, reading.losses, 0.0)
    place = int(np.argmin(reading.values))
    low = float(reading.values[place])
    high = float(max(np.max(reading.values[: place + 1]), finding.curve.initial_loss))
    top = high + 0.5 * (high - low or abs(high) or 1.0)
    above = np.flatnonzero(reading.values > top)
    end = int(above[0]) if len(above) else len(reading.lrs)
    losses = np.where(reading.losses <= top, reading.losses, np.nan)
    return RangeDisplay(label, reading.lrs[:end], reading.values[:end], losses[:end], top)
