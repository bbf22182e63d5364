"""What a lesson is: the ``lesson`` section of a config, checked before anything runs."""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeGuard, cast

from sgdlab.errors import InputError, suggest
from sgdlab.lessons.expressions import names_in

KEYS = ("title", "runs", "values", "expect", "check", "plot")
OPTIONAL = ("values",)
KINDS = ("curves", "points", "contour")
TABLES = ("steps", "train", "val")


@dataclass(frozen=True)
class Plot:
    """What is drawn.

    Attributes:
        x: The column along the axis below; of ``summary.csv`` for points.
        y: The column along the axis at the left, likewise.
        kind: ``curves``: a line per run. ``points``: a point per run, the runs of each of
            ``lines`` joined. ``contour``: the path of each run over the function of the dataset.
        of: Where curves have their columns: ``steps.csv``, or a split of ``evals.csv``.
        log_x: Whether the axis of ``x`` is logarithmic.
        log_y: Whether the axis of ``y`` is logarithmic.
        x_label: What stands at the axis instead of the name of ``x``.
        y_label: What stands at the axis instead of the name of ``y``.
        limit: A column that is drawn thin beside ``y``.
        lines: Runs by the name of the line that joins them.
        window: ``[left, right, bottom, top]`` of a contour; by default what the paths need.
    """

    x: str
    y: str
    kind: Literal["curves", "points", "contour"] = "curves"
    of: Literal["steps", "train", "val"] = "steps"
    log_x: bool = False
    log_y: bool = False
    x_label: str | None = None
    y_label: str | None = None
    limit: str | None = None
    lines: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    window: Sequence[float] | None = None


@dataclass(frozen=True)
class Lesson:
    """A few runs, and what they show.

    Attributes:
        title: A line that says what the lesson is about.
        runs: The overrides of each run by its name, in the order of the plot.
        values: Expressions by name (`sgdlab.lessons.expressions`), a later one may use the
            earlier.
        expect: Two sentences with ``{value}`` in them: what was done and seen; why.
        check: Conditions on the values: all must hold for the second sentence to be said.
        plot: What is drawn.
    """

    title: str
    runs: Mapping[str, tuple[str, ...]]
    values: Mapping[str, str]
    expect: tuple[str, str]
    check: tuple[str, ...]
    plot: Plot


def lesson_of(section: object) -> Lesson:
    """Return the lesson that a section describes.

    Raises:
        InputError: The key, its value and what would be right.
    """
    if not isinstance(section, Mapping):
        raise InputError(f"lesson={section}: must be a section; experiment=lessons/lr_gap has one")
    content = {str(key): value for key, value in section.items()}
    for key in content:
        if key not in KEYS:
            raise InputError(f"lesson.{key}: no such key; {suggest(key, KEYS)}")
    for key in KEYS:
        if key not in content and key not in OPTIONAL:
            raise InputError(f"lesson.{key}: is missing; a lesson has {', '.join(KEYS)}")
    runs = _runs(content["runs"])
    values = _values(content.get("values") or {}, runs)
    expect, check = _expect(content["expect"], values), _check(content["check"], values)
    return Lesson(str(content["title"]), runs, values, expect, check, _plot(content["plot"], runs))


def _runs(section: object) -> dict[str, tuple[str, ...]]:
    right = "must give each run its overrides, as in slow: [lr=0.001]"
    if not isinstance(section, Mapping) or not section:
        raise InputError(f"lesson.runs={section}: {right}")
    runs: dict[str, tuple[str, ...]] = {}
    for name, overrides in section.items():
        if not _is_list(overrides):
            raise InputError(f"lesson.runs.{name}={overrides}: {right}")
        if not str(name).isidentifier():
            raise InputError(f"lesson.runs.{name}: a name is letters, digits and _")
        for override in overrides:
            if "=" not in str(override):
                raise InputError(f"lesson.runs.{name}: {override} is no key=value")
        runs[str(name)] = tuple(map(str, overrides))
    return runs


def _values(section: object, runs: Mapping[str, Any]) -> dict[str, str]:
    if not isinstance(section, Mapping):
        raise InputError(f"lesson.values={section}: must map names to expressions")
    values: dict[str, str] = {}
    for name, text in section.items():
        place = f"lesson.values.{name}"
        if name in runs:
            raise InputError(f"{place}: is the name of a run, too")
        _refuse_unknown(text, place, [*runs, *values])
        values[str(name)] = str(text)
    return values


def _expect(section: object, values: Mapping[str, str]) -> tuple[str, str]:
    if not _is_list(section) or len(section) != 2:
        raise InputError("lesson.expect: must be two sentences: what is seen, and why")
    first, second = map(str, section)
    for text in (first, second):
        try:
            names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
        except ValueError as error:
            raise InputError(f"lesson.expect: {text}: {error}") from error
        for name in names:
            if name not in values:
                raise InputError(
                    f"lesson.expect: {{{name}}}: no such value; {suggest(name, values)}"
                )
    return first, second


def _check(section: object, values: Mapping[str, str]) -> tuple[str, ...]:
    if not _is_list(section) or not len(section):
        raise InputError("lesson.check: must be conditions on the values, as in [slow > 2 * fast]")
    for text in section:
        _refuse_unknown(text, "lesson.check", values)
    return tuple(map(str, section))


def _refuse_unknown(text: object, place: str, known: Any) -> None:
    for used in names_in(text, place):
        if used not in known:
            raise InputError(f"{place}: {text}: no run or value {used}; {suggest(used, known)}")


def _plot(section: object, runs: Mapping[str, Any]) -> Plot:
    known = Plot.__dataclass_fields__
    if not isinstance(section, Mapping) or not {"x", "y"} <= set(section):
        raise InputError("lesson.plot: must name two columns, as in {x: step, y: loss}")
    content = {str(key): value for key, value in section.items()}
    for key in content:
        if key not in known:
            raise InputError(f"lesson.plot.{key}: no such key; {suggest(key, known)}")
    for key, valid in (("kind", KINDS), ("of", TABLES)):
        if (value := content.get(key, valid[0])) not in valid:
            raise InputError(f"lesson.plot.{key}={value}: {suggest(str(value), valid)}")
    plot = Plot(**cast("dict[str, Any]", content))
    _check_lines(plot, runs)
    window = plot.window
    if window is not None and (not _is_list(window) or len(window) != 4):
        raise InputError(f"lesson.plot.window={window}: must be [left, right, bottom, top]")
    return plot


def _check_lines(plot: Plot, runs: Mapping[str, Any]) -> None:
    if not isinstance(plot.lines, Mapping) or not all(map(_is_list, plot.lines.values())):
        raise InputError(f"lesson.plot.lines={plot.lines}: must map names to lists of runs")
    for name, joined in plot.lines.items():
        for run in joined:
            if run not in runs:
                raise InputError(f"lesson.plot.lines.{name}: no run {run}; {suggest(run, runs)}")
    if plot.kind == "points" and not plot.lines:
        raise InputError("lesson.plot.lines: points need lines, as in {linear: [small, large]}")


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, str)
