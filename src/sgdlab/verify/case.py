"""One line of ``verify.csv``: what theory predicts, what was measured, and how far off it is."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

Values = Sequence[float] | np.ndarray
Kind = Literal["relative", "absolute", "at_most", "at_least"]


@dataclass(frozen=True)
class VerifyCurve:
    """A line of a family's plot: measured error against steps, and the predicted one.

    Attributes:
        name: The name in the legend.
        steps: The steps, counted from 1.
        values: The measured values, which are positive.
        predicted: The predicted values at the same steps; empty when theory gives only a slope.
        slope: Predicted slope of log(value) against log(steps), drawn through the last point.
        panel: Title of the part of the plot that it stands in; curves without one share the first.
    """

    name: str
    steps: Values
    values: Values
    predicted: Values = ()
    slope: float | None = None
    panel: str = ""


@dataclass(frozen=True)
class VerifyCheck:
    """A prediction and its measurement.

    Attributes:
        row: Row of the theory's table, such as ``"9"``; letters tell several checks of it apart.
        experiment: What was run, in a line.
        predicted: The value of the closed form.
        measured: What the trainer gave.
        tolerance: The largest error that passes.
        kind: ``relative``: error is ``|measured/predicted - 1|``; ``absolute``: ``|measured -
            predicted|``; ``at_most`` (``at_least``): the bound may be passed by ``tolerance``
            times its size, and error is the share by which it is passed.
        curves: What to draw of it.
    """

    row: str
    experiment: str
    predicted: float
    measured: float
    tolerance: float
    kind: Kind = "relative"
    curves: tuple[VerifyCurve, ...] = ()

    @property
    def error(self) -> float:
        """How far off the measurement is; NaN when it is not finite."""
        if not math.isfinite(self.measured):
            return math.nan
        off = self.measured - self.predicted
        if self.kind == "absolute":
            return abs(off)
        size = abs(self.predicted) or 1.0
        if self.kind == "at_most":
            return max(off / size, 0.0)
        if self.kind == "at_least":
            return max(-off / size, 0.0)
        return abs(off) / size

    @property
    def passed(self) -> bool:
        """Whether the error is within the tolerance; a NaN is not."""
        return self.error <= self.tolerance


Experiment = Callable[[], Iterator[VerifyCheck]]
"""Runs one or more rows of the table."""
