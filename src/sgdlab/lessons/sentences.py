"""The two sentences of a lesson: what was seen, and why, if it was seen."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sgdlab.errors import InputError
from sgdlab.lessons.expressions import Value, evaluate, names_in
from sgdlab.lessons.lesson import Lesson
from sgdlab.lessons.ran import Ran
from sgdlab.results import DIVERGED


@dataclass(frozen=True)
class Said:
    """What a lesson says.

    Attributes:
        first: What was done and seen.
        second: Why; or which condition did not hold.
        values: By name.
        broken: The first condition that did not hold; None where all held.
    """

    first: str
    second: str
    values: Mapping[str, Value]
    broken: str | None


def say(lesson: Lesson, runs: Sequence[Ran]) -> Said:
    """Return the sentences with the numbers of the runs in them.

    Raises:
        InputError: A value asks for what the runs do not have.
    """
    names: dict[str, object] = {run.name: run for run in runs}
    values: dict[str, Value] = {}
    for name, text in lesson.values.items():
        values[name] = names[name] = evaluate(text, names, f"lesson.values.{name}")
    first, second = (_filled(text, values) for text in lesson.expect)
    broken = next((c for c in lesson.check if not evaluate(c, values, "lesson.check")), None)
    if broken is not None:
        used = names_in(broken, "lesson.check")
        numbers = ", ".join(f"{name} = {said(values[name])}" for name in used)
        second = (
            "This time the runs do not show what the lesson is about: it expects "
            f"{broken}, with {numbers}."
        )
        lost = [run.name for run in runs if run.summary["status"] == DIVERGED]
        if lost:
            first = f"Diverged, and so not seen to the end: {', '.join(lost)}."
    return Said(first, second, values, broken)


def said(value: Value, form: str = "") -> str:
    """Return a value for a person: three significant digits, whole numbers whole.

    Args:
        value: A number or text.
        form: Python's format specification, such as ``.1%``; it counts instead.
    """
    if isinstance(value, str | bool):
        return str(value).lower()
    if not math.isfinite(value):
        return "no number" if math.isnan(value) else "infinity"
    if form:
        return format(value, form)
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{int(value):,}"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


class _Said:
    """Formats a value as `said` does."""

    def __init__(self, value: Value) -> None:
        self._value = value

    def __format__(self, form: str) -> str:
        return said(self._value, form)


def _filled(text: str, values: Mapping[str, Value]) -> str:
    try:
        filled = text.format(**{name: _Said(value) for name, value in values.items()})
    except ValueError as error:
        raise InputError(f"lesson.expect: {text}: {error}") from error
    return " ".join(filled.split())
