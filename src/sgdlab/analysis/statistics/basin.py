"""How forgiving a learning rate is: the range of rates that are nearly as good as the best."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sgdlab.analysis.statistics.levels import NAN, ROUNDINGS


@dataclass(frozen=True)
class Basin:
    """Around the best rate, ``low`` to ``high`` are the outermost rates tried that are as good.

    ``decades`` is ``log10(high / low)``. ``open_low`` and ``open_high`` say that no lower or
    higher rate was tried, so that the basin may reach further. Without a result all is NaN.
    """

    best_lr: float = NAN
    best: float = NAN
    low: float = NAN
    high: float = NAN
    decades: float = NAN
    open_low: bool = False
    open_high: bool = False


def basin(lrs: Sequence[float], values: Sequence[float], maximise: bool, tolerance: float) -> Basin:
    """Return the basin of the best rate: the run of neighbouring rates with no bad one between.

    Rates are sorted, and of equal ones the best result counts. A rate is as good as the best when
    its result is at most ``tolerance`` worse; one that diverged (inf or NaN) is not. The basin
    extends from the best rate in both directions up to the last such rate before the first that
    is not. It therefore ends at rates that were tried, never between them, and is what was shown
    to be good: a single bad trial ends it, be it bad by its rate, by another setting that
    was drawn with it, or by chance. Where several rates are best, the one with the widest basin
    counts, of equals the smallest.

    Args:
        lrs: The learning rate of each trial, positive.
        values: The result of each trial.
        maximise: Whether larger is better.
        tolerance: What does not matter, in the unit of the values, 0 or more.

    Raises:
        ValueError: A rate is not a positive number, the tolerance is negative or NaN, or there
            are not as many values as rates.
    """
    if not 0 <= tolerance < math.inf:
        raise ValueError(f"tolerance={tolerance}: must be 0 or a positive number")
    bad = next((lr for lr in lrs if not 0 < lr < math.inf), None)
    if bad is not None:
        raise ValueError(f"lr={bad}: must be a positive number")
    worse: dict[float, float] = {}
    for lr, value in zip(lrs, values, strict=True):
        objective_value = (-value if maximise else value) if math.isfinite(value) else math.inf
        worse[lr] = min(objective_value, worse.get(lr, math.inf))
    rates = sorted(worse)
    least = min(worse.values(), default=math.inf)
    if not math.isfinite(least):
        return Basin()
    # A result that is worse by exactly the tolerance may come out above it by rounding.
    limit = tolerance + ROUNDINGS * abs(least)
    inside = [worse[rate] - least <= limit for rate in rates]
    widest: Basin | None = None
    for place, rate in enumerate(rates):
        if worse[rate] == least:
            first, last = _run(inside, place)
            decades = math.log10(rates[last] / rates[first])
            if widest is None or decades > widest.decades:
                widest = Basin(
                    rate, -least if maximise else least, rates[first], rates[last], decades,
                    open_low=first == 0, open_high=last == len(rates) - 1,
                )  # fmt: skip
    return widest or Basin()


def _run(inside: Sequence[bool], place: int) -> tuple[int, int]:
    first = last = place
    while first > 0 and inside[first - 1]:
        first -= 1
    while last < len(inside) - 1 and inside[last + 1]:
        last += 1
    return first, last
