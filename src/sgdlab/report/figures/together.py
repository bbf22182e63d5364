"""The effects of a pair on every workload, their mean, and the next workload: forest plots."""

import math
from collections.abc import Sequence

from sgdlab.analysis import words
from sgdlab.analysis.joint import DIFFERENCE, JointPair
from sgdlab.report.charts.model import Axis, Chart, Marker, Points, ReferenceLine, Series
from sgdlab.report.charts.style import shorten
from sgdlab.report.figures.slug import slug
from sgdlab.report.verdict.together import FEW, WINNERS, leader, ordered, times
from sgdlab.results import APART

_Z = 1.959963984540054
"""Half the width of a normal 95 % interval, in standard errors."""


def together(pairs: Sequence[JointPair], unit: str) -> list[Chart]:
    """Return a forest plot for every effect of the pairs with the leader.

    Args:
        pairs: The pairs of one track.
        unit: What a unit is.
    """
    judged = [pair for pair in pairs if pair.effect == DIFFERENCE]
    if not judged:
        return []
    name = leader(judged)
    return [_forest(pair, unit) for pair in pairs if name in (pair.first, pair.second)]


def _forest(pair: JointPair, unit: str) -> Chart:
    first, second = ordered(pair)
    sign = 1.0 if first == pair.first else -1.0
    judged = pair.effect == DIFFERENCE
    scale = _same if judged else math.exp
    names = [effect.result.workload.name for effect in pair.effects]
    whole = pair.whole
    series: list[Series] = [ReferenceLine(scale(0.0), "x", "no difference", whole=True)]
    for row, effect in enumerate(pair.effects):
        value, half = sign * effect.value, _Z * effect.error
        who = first if value - half > 0 else second if value + half < 0 else ""
        ends = scale(value - half), scale(value + half)
        said = f"{_told(value, judged)}, 95 % CI {_told(value - half, judged)} to "
        said += f"{_told(value + half, judged)}; weight {100 * whole.weights[row]:.0f} %"
        series.append(_point(who, scale(value), row, said, ends))
    low, high = sorted((sign * whole.low, sign * whole.high))
    mean = sign * whole.mean
    said = f"{_told(mean, judged)}, 95 % CI {_told(low, judged)} to {_told(high, judged)}"
    winner = first if pair.verdict in WINNERS else ""
    ends = scale(low), scale(high)
    rows = [*names, f"mean of {whole.k} workloads"]
    series.append(_point(winner, scale(mean), len(names), said, ends, "diamond"))
    if whole.k >= FEW:
        low, high = sorted((sign * whole.next_low, sign * whole.next_high))
        said = f"95 % prediction interval {_told(low, judged)} to {_told(high, judged)}"
        ends = scale(low), scale(high)
        series.append(_point("", scale(mean), len(rows), said, ends, "bar"))
        rows.append("another workload")
    title = f"{first} against {second} over workloads"
    what = f"difference (standard deviations of a {unit})" if judged else "speed-up (×)"
    caption = (
        f"{_what(pair, first, second, unit)} on each workload, with 95 % intervals from the "
        f"variance that all share. Right: {first} is better. Diamond: the mean of a random-effects "
        f"meta-analysis (Hartung and Knapp), τ = {words.number(whole.tau, 2)}, "
        f"I² = {100 * whole.i2:.0f} %. Another workload: the 95 % prediction interval of what "
        "would be measured on a further workload like these."
    )
    bounds = _bounds(series, judged)
    figure = f"joint-{'difference' if judged else 'speed-up'}-{slug(f'{first}-{second}')}"
    figure += f"-{pair.track}" if pair.track in APART else ""
    axis = Axis(what, log=not judged, low=bounds[0], high=bounds[1])
    categories = tuple(shorten(row) for row in rows)
    return Chart(figure, title, caption, axis, Axis("", categories=categories), series)


def _point(
    who: str, value: float, row: int, said: str, ends: tuple[float, float], marker: Marker = "own"
) -> Points:
    low, high = ([end] for end in ends)
    return Points(who, [value], [row], [said], low, high, marker=marker)


def _same(value: float) -> float:
    return value


def _told(value: float, judged: bool) -> str:
    return words.number(value, 2) if judged else f"{times(value)} ×"


def _what(pair: JointPair, first: str, second: str, unit: str) -> str:
    if pair.effect == DIFFERENCE:
        return (
            f"Mean difference {first} − {second} in the metric of the verdicts, in standard "
            f"deviations of a {unit},"
        )
    return f"How many times sooner than {second}, in steps, {first} is at the loss that both reach"


def _bounds(series: Sequence[Series], judged: bool) -> tuple[float, float]:
    """Return the ends of the axis: what says where workloads and their mean are, is inside.

    Of few workloads a prediction interval can be wide beyond use; it may leave the frame.
    """
    points = [one for one in series if isinstance(one, Points)]
    ends = [0.0 if judged else 1.0]
    for one in points:
        if one.marker != "bar":
            ends += [*(one.low or ()), *(one.high or ()), *one.x]
    bars = [one for one in points if one.marker == "bar"]
    wide = [end for one in bars for end in (*(one.low or ()), *(one.high or ()))]
    low, high = min(ends), max(ends)
    if judged:
        span = high - low or 1.0
        inside = [end for end in wide if low - span <= end <= high + span]
        low, high = min(low, *inside, low), max(high, *inside, high)
        return low - 0.04 * span, high + 0.04 * span
    span = high / low if high > low else 2.0
    inside = [end for end in wide if low / span <= end <= high * span]
    low, high = min(low, *inside, low), max(high, *inside, high)
    return low / span**0.04, high * span**0.04
