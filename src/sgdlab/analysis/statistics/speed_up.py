"""How much sooner: the ratio of two times over pairs, on the log scale, with censoring."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sgdlab.analysis.statistics.levels import NAN
from sgdlab.analysis.statistics.paired import paired_t


@dataclass(frozen=True)
class SpeedUp:
    """How many times sooner the one arrives than the reference does.

    Attributes:
        n: The pairs.
        reached: Those in which the one arrives at all.
        ratio: The geometric mean of reference over one; an upper bound where one never arrives.
        low: The lower end of its 95 % interval; 0, open, where one never arrives.
        high: The upper end.
        p: That of the t-test of a ratio of 1; NaN where one never arrives.
        note: Why the interval is open, or not known.
    """

    n: int
    reached: int = 0
    ratio: float = NAN
    low: float = NAN
    high: float = NAN
    p: float = NAN
    note: str = ""


def speed_up(
    reference: Sequence[float],
    times: Sequence[float],
    reached: Sequence[bool],
    unit: str = "seed",
    overlap: float = 0.0,
) -> SpeedUp:
    """Return the speed-up of one over a reference, paired by position.

    With ``d_u = log T_reference,u − log T_u`` the ratio is ``exp(d̄)`` and its interval the t
    interval of ``d̄``, exponentiated (`sgdlab.analysis.statistics.paired_t`).

    A time at which the one had not arrived yet is a lower bound of its time, so that ``d_u`` is
    smaller than what stands there. Put in its place, the mean of ``d`` can only become larger: the
    upper end of the interval still holds, and the lower one is open. Neither leaving such pairs
    out, which are the slow ones, nor taking the bound for the time would be right.

    Args:
        reference: When the reference arrived, in each pair; positive.
        times: When the one arrived, or until when it had not; positive.
        reached: Whether it arrived.
        unit: What a pair is, for the notes.
        overlap: See `sgdlab.analysis.statistics.paired_t`.

    Raises:
        ValueError: A time is not a positive number.
    """
    if any(not 0 < time < math.inf for time in (*reference, *times)):
        raise ValueError("a time must be a positive number")
    first, second = [math.log(t) for t in reference], [math.log(t) for t in times]
    found = paired_t(first, second, unit=unit, overlap=overlap)
    arrived = sum(reached)
    if not arrived:
        return SpeedUp(len(first), 0, note=f"never arrives in {len(first)}" if first else "no pair")
    ratio, low, high = (math.exp(x) for x in (found.mean, found.ci_low, found.ci_high))
    if arrived == len(first):
        return SpeedUp(found.n, arrived, ratio, low, high, found.p, found.note)
    note = f"never arrives in {len(first) - arrived} of {len(first)}: open below"
    return SpeedUp(found.n, arrived, ratio, 0.0, high, NAN, note)
