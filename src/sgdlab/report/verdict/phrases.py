"""Numbers as parts of the sentences of a verdict."""

import math

from sgdlab.analysis.statistics import ANYTIME, PLANNED
from sgdlab.analysis.units import RUN
from sgdlab.analysis.words import NOTHING, number, p_value

_PARTS = {0.5: "half", 1 / 3: "a third of", 0.25: "a quarter of", 0.2: "a fifth of"}


def part(ratio: float, whole: str) -> str:
    """Return a ratio up to 1 of something: ``half the steps``, ``63 % of the steps``.

    Empty above 0.95, where there is nothing to tell.
    """
    if not 0 < ratio <= 0.95:
        return ""
    for value, name in _PARTS.items():
        if abs(ratio / value - 1) <= 0.02:
            return f"{name} {whole}"
    return f"{100 * ratio:.0f} % of {whole}" if ratio >= 0.1 else f"{100 * ratio:.1g} % of {whole}"


def size(value: float | None, name: str) -> str:
    """Return the size of a difference of a metric, without a sign: ``0.40 points``, ``1 point``."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if name == "accuracy":
        points = 100 * abs(value)
        whole = float(f"{points:.6g}").is_integer()
        shown = f"{points:.0f}" if whole else f"{points:.2f}"
        return f"{shown} {'point' if shown == '1' else 'points'}"
    return number(abs(value), 3)


def interval(low: float, high: float, name: str) -> str:
    """Return the bounds of an interval of a metric: ``96.10 to 97.42 %``."""
    if name == "accuracy":
        return f"{100 * low:.2f} to {100 * high:.2f} %"
    return f"{number(low)} to {number(high)}"


def tests_named(unit: str, design: str) -> str:
    """Return by what tests pairs are compared: ``paired t-tests``, with how often one looks."""
    test = "Welch's t-tests" if unit == RUN else "paired t-tests"
    if design == PLANNED:
        return f"{test} over planned looks"
    if design == ANYTIME:
        independent = "confidence sequences of both means" if unit == RUN else "t-martingales"
        return f"{independent}, valid at any time"
    return test


def p_equals(value: float) -> str:
    """Return a p-value as part of a sentence: ``p = 0.031``, ``p < 0.001``."""
    shown = p_value(value)
    return f"p {shown}" if shown.startswith("<") else f"p = {shown}"
