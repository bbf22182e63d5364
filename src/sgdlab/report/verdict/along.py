"""A pair along an axis, in sentences: where it holds, if it shrinks or flips, and no further."""

import math
from collections.abc import Sequence

from sgdlab.analysis import words
from sgdlab.analysis.axis_lines import AxisLine, AxisPoint
from sgdlab.analysis.statistics import ALPHA
from sgdlab.report.verdict.phrases import p_equals


def along(line: AxisLine) -> str:
    """Return what an axis says of a pair, and that nothing is said beyond its ends."""
    where = f" ({line.others})" if line.others else ""
    said = [holds(line), *([change(line)] if line.numeric else []), beyond(line)]
    return f"{line.axis}{where}: {'. '.join(said)}."


def holds(line: AxisLine) -> str:
    """Return where which of the two is better."""
    winners = [line.winner(point) for point in line.points]
    named = list(dict.fromkeys(filter(None, winners)))
    first, second = line.first, line.second
    if not named:
        return f"{first} and {second}: no winner at any of {len(winners)} values"
    if len(named) > 1:
        parts = [f"{who} is better at {_values(line, who)}" for who in named]
        rest = "" if all(winners) else f", undecided at {_values(line, '')}"
        return f"the verdict flips: {words.listing(parts)}{rest}"
    who, other = named[0], second if named[0] == first else first
    if all(winners):
        return f"{who} is better than {other} at all {len(winners)} values"
    return f"{who} is better than {other} at {_values(line, who)}, undecided at {_values(line, '')}"


def _values(line: AxisLine, who: str) -> str:
    return words.listing([shown(p) for p in line.points if line.winner(p) == who])


def shown(point: AxisPoint) -> str:
    """Return the value of a point as text."""
    return words.setting(point.value)


def change(line: AxisLine) -> str:
    """Return how the difference changes from the first point to the last."""
    metric = line.result.workload.metric
    ends = [words.difference(line.ends(p)[0], metric) for p in (line.points[0], line.points[-1])]
    said = f"{line.first} − {line.second} goes from {ends[0]} to {ends[1]}"
    test = line.change
    if not math.isfinite(test.ci_low):
        return said
    low, high = (words.difference(end, metric, unit=False) for end in (test.ci_low, test.ci_high))
    found = "a change" if test.p < ALPHA else "no change that a test can tell"
    note = f"; {line.note}" if line.note else ""
    return f"{said}: {found} (95 % CI of the change {low} to {high}, {p_equals(test.p)}{note})"


def beyond(line: AxisLine) -> str:
    """Say that nothing is claimed beyond what was run."""
    first, last = shown(line.points[0]), shown(line.points[-1])
    if not line.numeric:
        return "Of other values nothing is known"
    return f"Below {first} and above {last} nothing was run, and nothing is claimed"


def leading(lines: Sequence[AxisLine], most: int) -> list[AxisLine]:
    """Return the lines that a page says in words: those of the base point, as many as fit."""
    own = [line for line in lines if not line.others]
    return (own or list(lines))[:most]
