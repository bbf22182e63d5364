"""Two settings that were compared, as a map: the metric of every combination."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from sgdlab.analysis import words
from sgdlab.analysis.statistics import describe
from sgdlab.analysis.targets import completed
from sgdlab.analysis.units import unit_values
from sgdlab.analysis.varied import in_order, label_of, texts_of
from sgdlab.report.charts.model import Axis, Cells, Chart
from sgdlab.report.figures.scene import Scene
from sgdlab.report.figures.slug import slug

COLUMN = "final_val_metric"

NARROW = 8
"""From more columns than this a cell has its value only."""

MOST_MAPS = 12
"""Maps of a workload at most, one for each combination of further settings."""


@dataclass(frozen=True)
class _Cell:
    """One combination of the two settings: mean over seeds, and how many there are and were lost.

    ``mean`` is NaN where no run completed, ``n`` counts the seeds of the mean.
    """

    mean: float = math.nan
    n: int = 0
    lost: Mapping[str, int] | None = None


def heat(scene: Scene) -> list[Chart]:
    """Return a map of the two compared settings with the most values; none where there is one.

    Further settings have a map for each combination of their values.
    """
    by = scene.result.workload.by
    rows = [row for entry in scene.entries for row in entry.chosen]
    texts = {key: texts_of(scene.runs, rows, key) for key in by}
    order = {key: in_order(scene.runs, own, key) for key, own in texts.items()}
    ranked = sorted((key for key in by if order[key]), key=lambda key: -len(order[key]))
    shown = [key for key in ranked[:2] if len(order[key]) > 1]
    if len(shown) < 2:
        return []
    rest = [key for key in by if key not in shown]
    cells = _cells(scene, texts, shown, rest)
    panels = [dict(zip(rest, values, strict=True)) for values in product(*(order[k] for k in rest))]
    present = [panel for panel in panels if any(key[0] == label_of(panel) for key in cells)]
    every = [cell.mean for cell in cells.values() if not math.isnan(cell.mean)]
    ends = (min(every), max(every)) if every else (math.nan, math.nan)
    down, across = shown
    return [
        _map(scene, (across, order[across]), (down, order[down]), label_of(panel), cells, ends)
        for panel in present[:MOST_MAPS]
    ]


def _cells(
    scene: Scene,
    texts: Mapping[str, Mapping[int, str]],
    shown: Sequence[str],
    rest: Sequence[str],
) -> dict[tuple[str, str, str], _Cell]:
    """Return the cells by the panel, the value down and the value across."""
    found: dict[tuple[str, str, str], _Cell] = {}
    for entry in scene.entries:
        if not entry.chosen:
            continue
        row = entry.chosen[0]
        panel = label_of({key: texts[key].get(row) for key in rest})
        down, across = (texts[key].get(row, words.NOTHING) for key in shown)
        values = list(unit_values(scene.runs, entry.units, COLUMN).values())
        done = set(completed(scene.runs, entry.chosen))
        lost: dict[str, int] = {}
        for other in (r for r in entry.chosen if r not in done):
            status = str(scene.runs.rows[other]["status"])
            lost[status] = lost.get(status, 0) + 1
        found[panel, down, across] = _Cell(
            describe(values).mean if values else math.nan, len(values), lost
        )
    return found


def _map(
    scene: Scene,
    across: tuple[str, Sequence[str]],
    down: tuple[str, Sequence[str]],
    panel: str,
    cells: Mapping[tuple[str, str, str], _Cell],
    ends: tuple[float, float],
) -> Chart:
    metric = scene.result.workload.metric
    grid = [[cells.get((panel, y, x), _Cell()) for x in across[1]] for y in down[1]]
    own = [cell for row in grid for cell in row if cell.n or cell.lost]
    counts = {cell.n for cell in own}
    alike = len(counts) == 1 and not any(cell.lost for cell in own)
    brief = alike or len(across[1]) > NARROW
    hovers = [
        [
            _hover(label_of({down[0]: y, across[0]: x}), cell, metric)
            for x, cell in zip(across[1], row, strict=True)
        ]
        for y, row in zip(down[1], grid, strict=True)
    ]
    series = Cells(
        [[scene.scale * cell.mean for cell in row] for row in grid],
        [[_text(cell, metric, brief) for cell in row] for row in grid],
        hovers,
        scene.scale * ends[0],
        scene.scale * ends[1],
        more_is_better=scene.result.workload.maximise,
    )
    where = f" with {panel}" if panel else ""
    title = f"Final validation {metric} by {down[0]} and {across[0]}{where}"
    unit = " in %" if scene.percent else ""
    caption = f"{title}{unit}: the mean over seeds of the runs that completed"
    caption += f", {words.count(counts.pop(), 'seed')} each." if alike else "."
    if not alike:
        caption += " n: their number."
    if any(cell.lost for cell in own):
        caption += " ×: runs that did not complete, and how many."
    caption += " The stronger the colour, the better; all maps of this part share the scale."
    name = f"heat-{slug(panel)}" if panel else "heat"
    x = Axis(across[0], categories=tuple(across[1]))
    return Chart(
        scene.name(name), title, caption, x, Axis(down[0], categories=tuple(down[1])), [series]
    )


def _text(cell: _Cell, metric: str, brief: bool) -> str:
    """Return what stands in a cell, one or two lines."""
    lost = sum((cell.lost or {}).values())
    if not cell.n:
        return "" if not lost else "×" if brief else f"×\n{lost} lost"
    value = words.plain(cell.mean, metric)
    if brief:
        return f"{value} ×" if lost else value
    return f"{value}\nn = {cell.n}" + (f", {lost} ×" if lost else "")


def _hover(name: str, cell: _Cell, metric: str) -> str:
    if not cell.n and not cell.lost:
        return f"{name}: not run"
    parts = [words.metric(cell.mean, metric)] if cell.n else ["no result"]
    parts.append(words.count(cell.n, "seed"))
    parts += [f"{count} {status}" for status, count in (cell.lost or {}).items()]
    return f"{name}: {', '.join(parts)}"
