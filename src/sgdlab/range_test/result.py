"""What a curve says: suggestions, the one to take, or why there is none."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sgdlab.range_test.curve import RangeCurve, Reading
from sgdlab.range_test.settings import RangeConfig, ends
from sgdlab.range_test.suggest import RULES, SHARE_LEFT_OUT, median, suggestions

TAKE = "median"
"""Name of the rate to take, in tables and files."""

_FEWEST = 5
_SIGMAS = 4.0
_SHARE = 0.01


@dataclass(frozen=True)
class RangeResult:
    """One range test, read.

    Attributes:
        name: What tells it from the others beside it.
        curve: The curve as it was measured.
        suggested: Rate by rule; None where the rule says nothing.
        take: The rate to take; None: there is no suggestion.
        why_none: Why there is no suggestion; None where there is one.
        notes: What to know about the curve.
        scaled: Gives the rate used for the rate that is typed.
    """

    name: str
    curve: RangeCurve
    suggested: dict[str, float | None]
    take: float | None
    why_none: str | None
    notes: tuple[str, ...]
    scaled: Callable[[float], float]

    @property
    def advice(self) -> dict[str, float | None]:
        """The suggestions by rule, with the rate to take as the last."""
        return {**self.suggested, TAKE: self.take}

    def value_at(self, lr: float) -> float:
        """Return the height of the curve at a rate, on a straight line between points."""
        reading = self.curve.read()
        return float(np.interp(math.log(lr), np.log(reading.lrs), reading.values))


def result_of(
    name: str, curve: RangeCurve, section: RangeConfig, scaled: Callable[[float], float]
) -> RangeResult:
    """Read a curve from where its fall begins: see `_begin_of_fall`."""
    reading = curve.read()
    why = why_none(curve, reading, section)
    if why is not None:
        return RangeResult(name, curve, dict.fromkeys(RULES), None, why, (), scaled)
    begin = _begin_of_fall(curve, reading)
    suggested = suggestions(reading.lrs[begin:], reading.values[begin:])
    take = median(suggested)
    assert take is not None
    notes = _notes(reading, take, curve.stopped, section)
    return RangeResult(name, curve, suggested, take, None, notes, scaled)


def _minimum(reading: Reading) -> int:
    """Return the place of the minimum, the first tenth aside, where the average hardly began."""
    skipped = max(1, int(SHARE_LEFT_OUT * len(reading.lrs)))
    return skipped + int(np.argmin(reading.values[skipped:]))


def _level(curve: RangeCurve, reading: Reading) -> tuple[float, int]:
    """Return the mean loss over the first quarter of the way to the minimum, and of how many."""
    count = max(3, _minimum(reading) // 4)
    levels = reading.values if curve.has_val else reading.losses
    return float(np.mean(levels[:count])), count


def _begin_of_fall(curve: RangeCurve, reading: Reading) -> int:
    """Return the last place before the minimum where the curve was not below its first level.

    What falls and rises again before it is noise, and has slopes, too. At the least a tenth of the
    points is left out.
    """
    place, skipped = _minimum(reading), max(1, int(SHARE_LEFT_OUT * len(reading.lrs)))
    above = np.flatnonzero(reading.values[:place] >= _level(curve, reading)[0])
    return max(skipped, int(above[-1]) if len(above) else 0)


def why_none(curve: RangeCurve, reading: Reading, section: RangeConfig) -> str | None:
    """Return why nothing can be suggested, and what to do; None: the loss fell.

    It fell if, from the mean ``l̄`` of the losses over the first quarter of the way to the minimum
    ``m`` of the curve, ``l̄ - m`` is more than four of its standard deviations
    (`Reading.batch_noise` by the root of their number, and `Reading.noise`), and more than 1 % of
    ``l̄``, or of what of it is above the optimum, where that is known.
    """
    start, stop = ends(section)
    if not any(point.smoothed is not None for point in curve.points):
        return f"{curve.stopped}: no suggestion; lower range.start={start:g}"
    lower = f"lower range.start={start:g}"
    if len(reading.lrs) < _FEWEST:
        return f"no suggestion after {len(reading.lrs)} rates ({curve.stopped}): {lower}"
    place = _minimum(reading)
    before, count = _level(curve, reading)
    fall = before - float(reading.values[place])
    noise = _SIGMAS * math.hypot(reading.batch_noise() / math.sqrt(count), reading.noise(place))
    if fall > max(noise, _SHARE * abs(before - curve.optimum)):
        return None
    if curve.stopped is not None:
        return (
            f"no suggestion: the loss rose before it had fallen by more than its noise "
            f"({curve.stopped}); {lower}, or take a larger batch"
        )
    return (
        f"no suggestion: up to the last rate the loss did not fall by more than its noise; raise "
        f"range.stop={stop:g}, or look for what keeps it from falling"
    )


def _notes(
    reading: Reading, take: float, stopped: str | None, section: RangeConfig
) -> tuple[str, ...]:
    notes: list[str] = []
    start, stop = ends(section)
    if stopped is None and int(np.argmin(reading.values)) == len(reading.values) - 1:
        notes.append(
            f"the loss still fell at the last rate: raise range.stop={stop:g} to see its minimum"
        )
    if take < 10 * start:
        notes.append(
            f"the rate to take is close to the first one: lower range.start={start:g} and "
            "look again"
        )
    return tuple(notes)
