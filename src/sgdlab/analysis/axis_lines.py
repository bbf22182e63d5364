"""A pair of contenders along an axis: its difference and its speed-up at every point."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sgdlab.analysis.audit.check import planned_name
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.result import Result, Row
from sgdlab.analysis.speed_ups import mutual_log_ratios
from sgdlab.analysis.splits import overlap_of
from sgdlab.analysis.statistics import NAN, PairedTest, not_corrected, paired_t
from sgdlab.analysis.units import unit_values
from sgdlab.analysis.workloads import plain_value
from sgdlab.checks import is_number
from sgdlab.results import Cell

AXIS_COLUMNS = (
    "dataset", "model", "track", "axis", "value", "others", "first", "second", "metric", "n",
    "difference", "ci_low", "ci_high", "p_adjusted", "verdict", "speed_up", "speed_up_low",
    "speed_up_high", "change_low", "change_high", "change_p", "note",
)  # fmt: skip
"""``axes.csv``: a row per axis, pair and point.

Columns:
    axis, value: The key that moves, and its value at this point.
    others: Where the other axes are; empty at the base point.
    n: The units that both have.
    difference, ci_low, ci_high: The mean of first − second at this point, and its 95 % interval.
    p_adjusted: That of ``pairwise.csv`` at this point.
    verdict: Who is better, ``equivalent`` or ``undecided``.
    speed_up, speed_up_low, speed_up_high: How many times sooner the first is at the loss that both
        reach, and its 95 % interval.
    change_low, change_high: The 95 % interval of the change of the difference from the first point
        of the axis to the last.
    change_p: Of no change; not adjusted.
    note: Whether change and speed-up are of one look of several alone.
"""


@dataclass(frozen=True)
class AxisPoint:
    """A pair at one point.

    Attributes:
        value: The value of the axis.
        result: What was compared there.
        pair: The pair, as in ``pairwise.csv``.
        speed: The mean log of how much sooner the first is at the loss that both reach.
    """

    value: Cell
    result: Result
    pair: Row
    speed: PairedTest


@dataclass(frozen=True)
class AxisLine:
    """A pair along an axis, all other axes held.

    Attributes:
        axis: The key.
        others: Where the other axes are, in words; empty at the base point.
        first: The one contender.
        second: The other one.
        points: By the value of the axis.
        change: The difference at the last point minus that at the first, over units.
    """

    axis: str
    others: str
    first: str
    second: str
    points: list[AxisPoint]
    change: PairedTest

    @property
    def result(self) -> Result:
        """The result at its first point, which says what is measured."""
        return self.points[0].result

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers, so that there is a direction."""
        return all(is_number(point.value) for point in self.points)

    @property
    def note(self) -> str:
        """What a reader has to know beside its change and its speed-ups."""
        return not_corrected(self.result.design)

    def sign(self, pair: Row) -> float:
        """Return what makes the difference of a pair that of ``first − second``."""
        return 1.0 if pair["first"] == self.first else -1.0

    def ends(self, point: AxisPoint) -> tuple[float, float, float]:
        """Return difference and interval at a point, ``first − second``."""
        pair, sign = point.pair, self.sign(point.pair)
        low, high = sorted((sign * pair["ci_low"], sign * pair["ci_high"]))
        return sign * pair["mean_difference"], low, high

    def winner(self, point: AxisPoint) -> str:
        """Return who is better at a point; empty where the test says nobody is."""
        verdict = str(point.pair["verdict"])
        side = verdict.partition(" ")[0]
        return str(point.pair[side]) if verdict.endswith("better") else ""

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of ``axes.csv``."""
        found: list[dict[str, Any]] = []
        for point in self.points:
            workload, (mean, low, high) = point.result.workload, self.ends(point)
            speed = [
                math.exp(x) for x in (point.speed.mean, point.speed.ci_low, point.speed.ci_high)
            ]
            found.append(
                {
                    "dataset": workload.dataset, "model": workload.model,
                    "track": point.result.track, "axis": self.axis, "value": point.value,
                    "others": self.others, "first": self.first, "second": self.second,
                    "metric": point.result.column, "n": point.pair["n_pairs"], "difference": mean,
                    "ci_low": low, "ci_high": high, "p_adjusted": point.pair["p_adjusted"],
                    "verdict": f"{self.winner(point)} better" if self.winner(point)
                    else point.pair["verdict"],
                    "speed_up": speed[0], "speed_up_low": speed[1], "speed_up_high": speed[2],
                    "change_low": self.change.ci_low, "change_high": self.change.ci_high,
                    "change_p": self.change.p, "note": self.note,
                }
            )  # fmt: skip
        return found


def axis_lines(runs: Runs, results: Sequence[Result]) -> list[AxisLine]:
    """Return every pair along every axis of every workload, by track.

    Of points that differ in one key alone a line has two at least.
    """
    found: list[AxisLine] = []
    pointed = [result for result in results if result.workload.point]

    def place(result: Result) -> tuple[str, str]:
        return result.track, planned_name(runs, result.workload)

    for _, group in groupby(sorted(pointed, key=place), key=place):
        own = list(group)
        for axis in own[0].workload.point:
            found += _along(runs, own, axis)
    order = list(dict.fromkeys(result.track for result in results))
    return sorted(found, key=lambda line: order.index(line.result.track))


def _along(runs: Runs, results: Sequence[Result], axis: str) -> list[AxisLine]:
    lines: dict[str, list[Result]] = {}
    for result in results:
        others = {key: value for key, value in result.workload.point.items() if key != axis}
        lines.setdefault(repr(sorted((k, plain_value(v)) for k, v in others.items())), []).append(
            result
        )
    found: list[AxisLine] = []
    for own in lines.values():
        if len(own) < 2:
            continue
        own = sorted(own, key=lambda result: _order(result.workload.point[axis]))
        told = [_without(result.workload.held, axis) for result in own]
        names = list(dict.fromkeys(entry.optimizer for entry in results[0].entries))
        for place, first in enumerate(names):
            for second in names[place + 1 :]:
                points = [p for r in own if (p := _point(runs, r, axis, first, second))]
                if len(points) > 1:
                    ordered = all(is_number(point.value) for point in points)
                    change = _change(runs, points, first, second) if ordered else PairedTest(0)
                    found.append(AxisLine(axis, min(told, key=len), first, second, points, change))
    return found


def _order(value: Cell) -> tuple[bool, float]:
    """Return the place of a value: numbers ascend, others stay as they were declared."""
    return (False, float(value)) if is_number(value) else (True, 0.0)


def _without(held: str, axis: str) -> str:
    return " ".join(part for part in held.split(" ") if not part.startswith(f"{axis}="))


def _point(runs: Runs, result: Result, axis: str, first: str, second: str) -> AxisPoint | None:
    if not result.asks(first, second):
        return None
    pair = result.pair(first, second)
    if not is_number(pair["mean_difference"]):
        return None
    one, other = _entries(result, first, second)
    logs = mutual_log_ratios(runs, result.workload, one, other)
    overlap = overlap_of(runs, [one, other], "val_loss")
    speed = paired_t(logs, [0.0] * len(logs), unit=result.unit, overlap=overlap)
    return AxisPoint(result.workload.point[axis], result, pair, speed)


def _entries(result: Result, first: str, second: str) -> tuple[Entry, Entry]:
    named: Mapping[str, Entry] = {entry.optimizer: entry for entry in result.entries}
    return named[first], named[second]


def _change(runs: Runs, points: Sequence[AxisPoint], first: str, second: str) -> PairedTest:
    """Return how the difference changes from the first point to the last, over common units."""
    sides: list[dict[float, float]] = []
    for point in (points[0], points[-1]):
        column = point.result.column
        one, other = _entries(point.result, first, second)
        a, b = (unit_values(runs, entry.units, column) for entry in (one, other))
        sides.append({unit: a[unit] - b[unit] for unit in a.keys() & b.keys()})
    common = sorted(sides[0].keys() & sides[1].keys())
    if len(common) < 2 or points[0].result.column != points[-1].result.column:
        return PairedTest(len(common), NAN)
    result = points[0].result
    overlap = overlap_of(runs, _entries(result, first, second), result.column)
    before, after = ([side[unit] for unit in common] for side in sides)
    return paired_t(after, before, unit=result.unit, overlap=overlap)
