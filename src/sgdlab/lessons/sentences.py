"""The two sentences of a lesson: what was seen, and why, if it was seen."""

import math
from collections.abc import Mapping, Sequence

from sgdlab.errors import InputError
from sgdlab.lessons.expressions import Value, evaluate, names_in
from sgdlab.lessons.lesson import Lesson
from sgdlab.lessons.runs import LessonRun
from sgdlab.results import DIVERGED


def sentences_of(lesson: Lesson, runs: Sequence[LessonRun]) -> tuple[str, str]:
    """Return what was done and seen, and why, with the numbers of the runs.

    The second sentence says instead which condition did not hold, if one did not.

    Raises:
        InputError: A value asks for what the runs do not have.
    """
    names: dict[str, object] = {run.name: run for run in runs}
    values: dict[str, Value] = {}
    for name, text in lesson.values.items():
        values[name] = names[name] = evaluate(text, names, f"lesson.values.{name}")
    first, second = (_filled(text, values) for text in lesson.expect)
    broken = next((c for c in lesson.check if not evaluate(c, values, "lesson.check")), None)
    if broken is None:
        return first, second
    used = names_in(broken, "lesson.check")
    numbers = ", ".join(f"{name} = {value_text(values[name])}" for name in used)
    second = (
        "This time the runs do not show what the lesson is about: it expects "
        f"{broken}, with {numbers}."
    )
    lost = [run.name for run in runs if run.summary["status"] == DIVERGED]
    if lost:
        first = f"Diverged, and so not seen to the end: {', '.join(lost)}."
    return first, second


def value_text(value: Value, form: str = "") -> str:
    """Return a value for a person: three significant digits, whole numbers whole.

    Args:
        value: A number or a text.
        form: A format specification of Python, such as ``.1%``, to follow instead.
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


class _Shown:
    """Formats a value as `value_text` does."""

    def __init__(self, value: Value) -> None:
        self._value = value

    def __format__(self, form: str) -> str:
        return value_text(self._value, form)


def _filled(text: str, values: Mapping[str, Value]) -> str:
    try:
        filled = text.format(**{name: _Shown(value) for name, value in values.items()})
    except ValueError as error:
        raise InputError(f"lesson.expect: {text}: {error}") from error
    return " ".join(filled.split())
