"""The points of the axes that a comparison was repeated along, each a workload of its own."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from sgdlab.analysis import words
from sgdlab.analysis.audit.plan import section
from sgdlab.analysis.load import Runs
from sgdlab.analysis.studies import Study
from sgdlab.analysis.varied import CHOICES
from sgdlab.analysis.workloads import WorkloadRuns, missing, plain_value, text
from sgdlab.results import Cell, flatten
from sgdlab.results.points import points_of


def axes(studies: Mapping[str, Study]) -> list[str]:
    """Return the keys of the axes that comparisons declared."""
    found: dict[str, None] = {}
    for study in studies.values():
        found |= dict.fromkeys(section(section(study.get("axes")).get("values")))
    return list(found)


def at_points(runs: Runs, part: WorkloadRuns, studies: Mapping[str, Study]) -> list[WorkloadRuns]:
    """Return a workload for every point of the axes, the base point first; else the workload.

    Args:
        runs: Every run.
        part: A workload, of all points.
        studies: The content of ``study.yaml`` by name of the study.
    """
    names = {text(runs.rows[row]["study"]) for row in part.rows}
    own = [section(studies[name].get("axes")) for name in sorted(names) if name in studies]
    keys = list(dict.fromkeys(key for one in own for key in section(one.get("values"))))
    if not keys:
        return [part]
    run = runs.rows[part.rows[0]]
    place = f"{run['dataset']}/{run['model']}"
    base: dict[str, Cell] = {}
    for one in own:
        for key, value in section(section(one.get("base")).get(place)).items():
            base[key] = _cells([value])[0]
    points: dict[str, list[int]] = {}
    values: dict[str, dict[str, Cell]] = {}
    for row in part.rows:
        point = {key: value_at(runs, row, key) for key in keys}
        mark = repr([plain_value(value) for value in point.values()])
        points.setdefault(mark, []).append(row)
        values.setdefault(mark, point)
    found = [
        replace(part, rows=rows, held=_moved(values[mark], base, part.held), point=values[mark])
        for mark, rows in points.items()
    ]
    declared = _declared(own)
    return sorted(found, key=lambda one: (bool(one.held), _order(one.point, base, declared)))


def planned_points(study: Study, place: str, most: int) -> list[dict[str, Cell]]:
    """Return the points at which a comparison was to be made; the empty one where it has no axes.

    Args:
        study: The content of ``study.yaml``.
        place: ``dataset/model``, as it calls the workload.
        most: How many are returned at most.
    """
    own = section(study.get("axes"))
    values = {
        str(key): _cells(cast("list[Any]", listed))
        for key, listed in section(own.get("values")).items()
        if isinstance(listed, list)
    }
    known = section(section(own.get("base")).get(place))
    base = {key: _cells([known.get(key)])[0] for key in values}
    if not values or math.prod(map(len, values.values())) > most:
        return [{}]
    return points_of(values, base, str(own.get("design")))


def point_mark(value: Cell) -> str:
    """Return a value of an axis as text, the same for a plan and for what a run has of it."""
    if isinstance(value, bool) or missing(value):
        return str(value)
    try:
        return repr(float(str(value)))
    except ValueError:
        return str(value)


def _cells(values: Sequence[Any]) -> list[Cell]:
    """Return values as configs have them."""
    return [flatten({"value": value}).get("value") for value in values]


def _declared(own: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the values of every axis as text, in the order in which they were declared."""
    found: dict[str, list[str]] = {}
    for one in own:
        for key, values in section(one.get("values")).items():
            listed = cast("list[Any]", values) if isinstance(values, list) else list[Any]()
            found.setdefault(key, []).extend(str(plain_value(v)) for v in _cells(listed))
    return found


def value_at(runs: Runs, row: int, key: str) -> Cell:
    """Return a setting as it was planned; a summary says how many epochs were made."""
    return runs.rows[row].get(key) if key in CHOICES else runs.configs[row].get(key)


def _moved(point: Mapping[str, Cell], base: Mapping[str, Cell], held: str) -> str:
    """Return what is other than at the base point."""
    moved = [
        f"{key}={words.setting(value)}"
        for key, value in point.items()
        if plain_value(value) != plain_value(base.get(key))
    ]
    return " ".join(filter(None, (held, *moved)))


def _order(
    point: Mapping[str, Cell], base: Mapping[str, Cell], declared: Mapping[str, Sequence[str]]
) -> list[int]:
    """Return the place of a point: axis after axis, each in the order of its values."""
    found: list[int] = []
    for key, value in reversed(list(point.items())):
        values, text_of = list(declared.get(key, ())), str(plain_value(value))
        moved = plain_value(value) != plain_value(base.get(key))
        found.append(values.index(text_of) if moved and text_of in values else -1)
    return found
