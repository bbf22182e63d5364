"""Every trial of one optimizer: what its search tried, what it found, what it took."""

from collections.abc import Sequence
from dataclasses import replace

from sgdlab.analysis import words
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.workloads import varying
from sgdlab.checks import is_number
from sgdlab.report.charts.model import Axis, Chart, Marker, Points, Series
from sgdlab.report.charts.thin import thinned
from sgdlab.report.figures.rates import is_log, metric_axis
from sgdlab.report.figures.scene import Scene
from sgdlab.report.figures.slug import slug
from sgdlab.results import COMPLETED, STOPPED

MOST = 400
"""Trials drawn; of more, those on one spot are drawn once."""


def scatters(scene: Scene) -> list[Chart]:
    """Return a figure per optimizer that was tuned: each trial by its learning rate."""
    charts = [chart for entry in scene.entries if (chart := _scatter(scene, entry))]
    seen: dict[str, int] = {}
    named: list[Chart] = []
    for chart in charts:
        number = seen[chart.name] = seen.get(chart.name, 0) + 1
        name = chart.name if number == 1 else f"{chart.name}-{number}"
        named.append(replace(chart, name=name))
    return named


def _scatter(scene: Scene, entry: Entry) -> Chart | None:
    rows = [row for row in entry.trials if is_number(rate := _rate(scene, row)) and rate > 0]
    if len({_rate(scene, row) for row in rows}) < 2:
        return None
    value = {row: found for row in rows if (found := _value(scene, row)) is not None}
    done, log = list(value), is_log(scene, list(value.values()))
    kept = [done[i] for i in thinned([(_rate(scene, r), v) for r, v in value.items()], MOST, log)]
    winners = {
        _key(scene, row) for row in entry.chosen if scene.runs.rows[row]["trial"] is not None
    }
    searched, name = _searched(scene, entry), entry.optimizer
    drawn: tuple[tuple[Marker, str, list[int]], ...] = (
        ("own", "", [row for row in kept if _key(scene, row) not in winners]),
        ("ring", "taken", [row for row in done if _key(scene, row) in winners]),
    )
    series: list[Series] = [
        Points(
            name,
            [_rate(scene, row) for row in members],
            [scene.scale * value[row] for row in members],
            [_text(scene, searched, row) for row in members],
            marker=marker, label=label, large=len(kept) <= 120,
        )
        for marker, label, members in drawn
        if members
    ]  # fmt: skip
    lost = [row for row in rows if row not in value]
    edge = "bottom" if scene.result.workload.maximise else "top"
    for status in sorted({str(scene.runs.rows[row]["status"]) for row in lost}):
        members = [row for row in lost if scene.runs.rows[row]["status"] == status][:MOST]
        series.append(
            Points(
                name, [_rate(scene, row) for row in members], [],
                [f"{status}: {_text(scene, searched, row)}" for row in members],
                marker="bar" if status == STOPPED else "x", edge=edge, label=status,
            )
        )  # fmt: skip
    metric = scene.result.workload.metric
    y = metric_axis(scene, list(value.values()), bool(lost), log)
    caption = (
        f"{name}: final validation {metric} of each of {words.count(len(rows), 'trial')} against "
        "its learning rate. Rings: the settings that won."
    )
    if lost:
        caption += " At the edge: trials without a result (× diverged or failed, | stopped early)."
    figure = scene.name(f"tuning-{slug(name)}")
    return Chart(figure, f"Trials of {name}", caption, Axis("learning rate", log=True), y, series)


def _rate(scene: Scene, row: int) -> float:
    return scene.runs.rows[row]["base_lr"]


def _value(scene: Scene, row: int) -> float | None:
    run = scene.runs.rows[row]
    value = run["final_val_metric"]
    return float(value) if run["status"] == COMPLETED and is_number(value) else None


def _key(scene: Scene, row: int) -> tuple[object, object]:
    """Return which trial of which search a run is."""
    run = scene.runs.rows[row]
    return run["replicate"], run["trial"]


def _text(scene: Scene, searched: Sequence[str], row: int) -> str:
    """Return which trial it is, and the settings that were searched besides the rate."""
    run = scene.runs.rows[row]
    parts: list[str] = []
    if run["replicate"] is not None:
        parts.append(f"replicate {run['replicate']}")
    if run["trial"] is not None:
        parts.append(f"trial {run['trial']}")
    for key in searched:
        value = run[key] if key in run else scene.runs.configs[row].get(key)
        parts.append(f"{key.removeprefix('optimizer.')}={words.setting(value)}")
    return ", ".join(parts)


def _searched(scene: Scene, entry: Entry) -> list[str]:
    """Return the settings that differ between trials, the learning rate excepted."""
    # Runs whose configs are equal share one.
    distinct = {id(c): c for row in entry.trials if (c := scene.runs.configs[row])}
    columns = [
        {c: scene.runs.rows[row][c] for c in scene.runs.setting_columns} for row in entry.trials
    ]
    found = {*varying(distinct.values()), *varying(columns)} - {"lr", "optimizer.lr"}
    return sorted(key for key in found if not key.endswith("seed"))[:6]
