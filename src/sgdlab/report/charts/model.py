"""What a figure shows, said once; `sgdlab.report.charts.draw` and the page's script draw it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Floats = Sequence[float]

Marker = Literal["own", "diamond", "x", "ring", "down", "bar"]


@dataclass(frozen=True)
class Axis:
    """One axis.

    Attributes:
        label: The title of the axis, with the unit.
        log: Whether the scale is logarithmic; every value then is positive.
        percent: Whether values are percentages, which hover text shows with their sign.
        categories: Names at 0, 1, 2, … instead of numbers, the first on top.
        low: Where the axis starts at first; None: where the data start.
        high: Where the axis ends at first; None: where the data end.
        ticks: The values at which ticks stand, for axes of few values; empty: round numbers.
    """

    label: str
    log: bool = False
    percent: bool = False
    categories: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    ticks: tuple[float, ...] = ()


@dataclass(frozen=True)
class Line:
    """A line, and the band around it.

    Attributes:
        name: The optimizer, whose look it has.
        x: The abscissa of each point.
        y: The ordinate of each point.
        low: Lower edge of the band; None: there is none.
        high: Upper edge of the band.
        kind: ``thin`` for a run that did not complete, ``link`` for a grey line without meaning of
            its own, ``steps`` for one that is constant until its next point.
        end: Marker at its last point: ``x``, ``|`` or none.
    """

    name: str
    x: Floats
    y: Floats
    low: Floats | None = None
    high: Floats | None = None
    kind: Literal["line", "thin", "link", "steps"] = "line"
    end: Literal["", "x", "|"] = ""


@dataclass(frozen=True)
class Points:
    """Points, each with a hover text, and perhaps an interval along x.

    Attributes:
        name: The optimizer, whose look they have; empty: ink.
        x: The abscissa of each point.
        y: The ordinate of each point; ignored when there is an edge.
        texts: What hovering over each point says after the name; empty: the values.
        low: Left end of each interval; NaN where there is none.
        high: Right end of each interval.
        marker: The shape of the points; ``own`` is that of the optimizer.
        label: What the marker means, where it does not stand for the optimizer.
        edge: The side of the frame on which the points lie, whatever the scale of y.
        large: Whether there are few of them.
    """

    name: str
    x: Floats
    y: Floats
    texts: Sequence[str] = ()
    low: Floats | None = None
    high: Floats | None = None
    marker: Marker = "own"
    label: str = ""
    edge: Literal["", "top", "bottom"] = ""
    large: bool = True


@dataclass(frozen=True)
class Area:
    """A histogram on a row of names: ``heights`` over ``edges``, upwards from ``base``."""

    name: str
    edges: Floats
    heights: Floats
    base: float


@dataclass(frozen=True)
class ReferenceLine:
    """A reference line across the frame at a value of ``axis``; ``whole`` ones are not dashed."""

    at: float
    axis: Literal["x", "y"]
    label: str = ""
    whole: bool = False


@dataclass(frozen=True)
class Cells:
    """A map: a coloured cell for every pair of names of the two axes.

    Attributes:
        values: The value of each cell, row by row from the top; NaN where there is none.
        texts: What stands in each cell, one line or two.
        hovers: What hovering over each cell says, and what is read aloud.
        low: The value at the pale end of the scale, or at the dark one where less is better.
        high: The value at the other end.
        more_is_better: Whether the dark end is that of large values.
    """

    values: Sequence[Floats]
    texts: Sequence[Sequence[str]]
    hovers: Sequence[Sequence[str]]
    low: float
    high: float
    more_is_better: bool = True

    def share(self, value: float) -> float:
        """Return how far from the pale to the dark end a value is, 0 to 1; NaN stays NaN."""
        if not self.high > self.low:
            return value if value != value else 0.5
        part = (value - self.low) / (self.high - self.low)
        return part if self.more_is_better else 1.0 - part


Series = Line | Points | Area | ReferenceLine | Cells


@dataclass(frozen=True)
class Chart:
    """A figure.

    Attributes:
        name: The name of its file without ending.
        title: What the figure is, in few words.
        caption: What exactly is drawn.
        x: Horizontal axis.
        y: Vertical axis.
        series: What is drawn, in order.
    """

    name: str
    title: str
    caption: str
    x: Axis
    y: Axis
    series: list[Series] = field(default_factory=list[Series])

    @property
    def names(self) -> list[str]:
        """The optimizers in it, in order."""
        nameless = ReferenceLine, Cells
        named = [s.name for s in self.series if not isinstance(s, nameless) and s.name]
        return list(dict.fromkeys(named))
