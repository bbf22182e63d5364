"""What a tuning budget buys: the best validation result expected of k trials."""

import math

from sgdlab.report.charts.model import Axis, Chart, Line, Series
from sgdlab.report.figures.scene import Scene


def budgets(scene: Scene) -> list[Chart]:
    """Return the budget curves against trials and against seconds, those that there are."""
    metric = scene.result.workload.metric
    several = any(len(entry.trials_of) > 1 for entry in scene.entries)
    band = " Line: mean over searches; band: smallest to largest of them." if several else ""
    found: list[Chart] = []
    for name, label, unit in (
        ("budget-trials", "trials", "trials"),
        ("budget-seconds", "tuning time (s)", "seconds"),
    ):
        series: list[Series] = []
        for curve in scene.result.budgets:
            xs = [float(k) for k in curve.k] if unit == "trials" else list(curve.seconds)
            keep = [
                i for i, x in enumerate(xs) if math.isfinite(x) and math.isfinite(curve.best[i])
            ]
            if len(keep) < 2:
                continue
            low, high = ([scene.scale * side[i] for i in keep] for side in (curve.low, curve.high))
            wide = any(a != b for a, b in zip(low, high, strict=True)) and all(
                map(math.isfinite, [*low, *high])
            )
            series.append(
                Line(
                    curve.optimizer, [xs[i] for i in keep],
                    [scene.scale * curve.best[i] for i in keep],
                    low if wide else None, high if wide else None,
                )
            )  # fmt: skip
        if not series:
            continue
        title = f"Best validation {metric} expected against {unit} of tuning"
        caption = (
            f"{title}: the mean of the best over all ways to draw so many of a search's trials."
            f"{band}"
        )
        if unit == "seconds":
            caption += " Seconds: trials times the mean seconds of a trial."
        y = scene.axis(f"best validation {metric}")
        found.append(Chart(scene.name(name), title, caption, Axis(label), y, series))
    return [*found, *_banded(scene)]


def _banded(scene: Scene) -> list[Chart]:
    """Return the medians of the best of k trials with their simultaneous bands; none without."""
    metric = scene.result.workload.metric
    series: list[Series] = []
    for curve in scene.result.budgets:
        sides = [
            [scene.scale * value for value in side]
            for side in (curve.median, curve.band_low, curve.band_high)
        ]
        # Where no trial says anything of an end, and the metric has no bound, there is no band.
        keep = [i for i in range(len(sides[0])) if all(math.isfinite(s[i]) for s in sides)]
        if len(keep) > 1:
            x = [float(curve.k[i]) for i in keep]
            middle, lower, upper = ([side[i] for i in keep] for side in sides)
            series.append(Line(curve.optimizer, x, middle, lower, upper))
    if not series:
        return []
    title = f"Median best validation {metric} of so many trials"
    caption = (
        f"{title}, with 95 % bands that hold for all numbers of trials at once (Learned-Miller and "
        "DeStefano's for the distribution of a trial, over the trials of all searches; Lourie, Cho "
        "and He 2024). Where bands of two do not overlap, one is ahead at that budget."
    )
    y = scene.axis(f"best validation {metric}")
    return [Chart(scene.name("budget-bands"), title, caption, Axis("trials"), y, series)]
