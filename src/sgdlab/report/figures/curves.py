"""Median and band of what the runs compared did, against steps, examples and seconds."""

from collections.abc import Callable, Sequence
from functools import cached_property, partial

import numpy as np

from sgdlab.analysis import words
from sgdlab.analysis.curves import (
    MOST_LOST,
    PERCENTILES_FROM,
    Curve,
    Line,
    bin_width,
    binned_steps,
    by_clock,
    curves,
    evaluations,
    seeds,
)
from sgdlab.analysis.targets import completed, validation
from sgdlab.checks import is_number
from sgdlab.report.charts import model
from sgdlab.report.charts.model import Axis, Chart, ReferenceLine, Series
from sgdlab.report.figures.scene import Scene

STEPS, EXAMPLES, SECONDS = "steps", "examples", "training time (s)"
_SHORT = {STEPS: "steps", EXAMPLES: "examples", SECONDS: "seconds"}
_CLOCKS = {STEPS: "step", EXAMPLES: "examples", SECONDS: "train_seconds"}


class FigureCurves:
    """Makes the curves of one workload."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.runs, self.entries = scene, scene.runs, scene.entries
        self.chosen = [row for entry in self.entries for row in entry.chosen]

    def all(self) -> list[Chart]:
        """Return metric and loss side by side: against steps, examples and seconds."""
        found = [*self.validation(), *self.loss()]
        order = [f"-{short}" for short in _SHORT.values()]
        return sorted(found, key=lambda chart: [chart.name.endswith(end) for end in order][::-1])

    def validation(self) -> list[Chart]:
        """Return the validation metric against steps, examples and seconds."""
        workload, target = self.scene.result.workload, self.scene.result.target.value
        name = self.scene.result.evaluated
        head = name if workload.logged else f"{name[0].upper()}{name[1:]}"
        rules: list[Series] = []
        dashed = ""
        if target is not None:
            rules.append(ReferenceLine(target * self.scene.scale, "y", "target"))
            dashed = f" Dashed: target, {words.metric(target, workload.metric)}."
        found: list[Chart] = []
        for x in _SHORT:
            title = f"{head} against {_plain(x)}"
            caption = (
                f"{title}.{self._clock(x)} {self._band}{dashed} The first sixth may lie outside "
                "the frame."
            )
            found += self._chart(
                f"validation-{_SHORT[x]}", title, caption, x,
                partial(self._evaluations, workload.metric, "val", x),
                name, metric=True, extra=rules,
            )  # fmt: skip
        return found

    def loss(self) -> list[Chart]:
        """Return the training loss against steps, examples and seconds."""
        if self._evaluated:
            label, how = "training loss", "Loss over the whole training split at each evaluation."
            line = partial(self._evaluations, "loss", "train")
        else:
            label = "minibatch loss"
            how = f"Loss of the minibatches, mean over {words.count(self._width, 'step')}."
            line = partial(self._steps, "loss")
        found: list[Chart] = []
        for x in _SHORT:
            title = f"{label.capitalize()} against {_plain(x)}"
            caption = f"{title}. {how}{self._clock(x)} {self._band}"
            found += self._chart(f"loss-{_SHORT[x]}", title, caption, x, partial(line, x), label)
        return found

    def gradient(self) -> list[Chart]:
        """Return the gradient norm against steps."""
        how = f"Global L2 norm before clipping, mean over {words.count(self._width, 'step')}."
        title = "Gradient norm against steps"
        caption = f"{title}. {how} {self._band}"
        line = partial(self._steps, "grad_norm", STEPS)
        return self._chart("gradient-norm", title, caption, STEPS, line, "gradient norm")

    def _chart(
        self,
        name: str,
        title: str,
        caption: str,
        x: str,
        line: Callable[[int], Line | None],
        label: str,
        metric: bool = False,
        extra: Sequence[Series] = (),
    ) -> list[Chart]:
        """Return the chart of a line per run; none where no run has one."""
        drawn = [c for c in curves(self.runs, self.entries, line) if not c.empty]
        if not drawn:
            return []
        log = not metric and all(_positive(curve) for curve in drawn)
        low, high = limits(drawn, log)
        if metric:
            y = self.scene.axis(label, low, high)
        else:
            y = Axis(label, log=log, low=low, high=high)
        scale = self.scene.scale if metric else 1.0
        series = [s for curve in drawn for s in lines(curve, scale)]
        return [Chart(self.scene.name(name), title, caption, Axis(x), y, [*series, *extra])]

    def _evaluations(self, column: str, split: str, x: str, row: int) -> Line | None:
        return evaluations(self.runs, row, column, split, _CLOCKS[x])

    def _steps(self, column: str, x: str, row: int) -> Line | None:
        line = self._binned[column].get(row)
        if line is None or x == STEPS:
            return line
        return by_clock(self.runs, row, line, _CLOCKS[x])

    @cached_property
    def _width(self) -> int:
        return bin_width(self.runs, self.entries)

    @cached_property
    def _binned(self) -> dict[str, dict[int, Line]]:
        return binned_steps(self.runs, self.chosen, ("loss", "grad_norm"), self._width)

    @cached_property
    def _evaluated(self) -> bool:
        done = completed(self.runs, self.chosen)
        return bool(done) and all(
            (table := validation(self.runs, row, "loss", "train")) is not None
            and len(table["step"]) >= 3
            for row in done
        )

    @cached_property
    def _band(self) -> str:
        """What line, band and thin lines are."""
        counts = seeds(self.runs, self.entries)
        done, lost = completed(self.runs, self.chosen), ""
        if missing := len(self.chosen) - len(done):
            some = (
                f", up to {MOST_LOST} of each {self.scene.result.noun}"
                if missing > MOST_LOST
                else ""
            )
            lost = f" Thin lines: runs that did not complete (× diverged, | others{some})."
        if not counts:
            return f"No run completed.{lost}"
        if max(counts) == 1:
            return f"One run each, no band.{lost}"
        ends = "10th to 90th percentile"
        which = ends if min(counts) >= PERCENTILES_FROM else "smallest to largest"
        low, high = min(counts), max(counts)
        n = words.count(high, "run") if low == high else f"{low} to {high} runs"
        return f"Line: median of {n}; band: {which}.{lost}"

    def _clock(self, x: str) -> str:
        if x != SECONDS:
            return ""
        if not any(is_number(row["timing_runs"]) for row in self.scene.result.rows):
            return ""
        return " Seconds of stacked runs are steps times the seconds per step measured alone."


def lines(curve: Curve, scale: float) -> list[model.Line]:
    """Return what is drawn of one optimizer: the median with its band, runs that were lost."""
    found: list[model.Line] = []
    if (band := curve.band) is not None:
        wide = band.n > 1
        found.append(
            model.Line(
                curve.optimizer,
                band.x.tolist(),
                (scale * band.median).tolist(),
                (scale * band.low).tolist() if wide else None,
                (scale * band.high).tolist() if wide else None,
            )
        )
    for status, (x, y) in curve.lost:
        end = "x" if status == "diverged" else "|"
        found.append(
            model.Line(curve.optimizer, x.tolist(), (scale * y).tolist(), kind="thin", end=end)
        )
    return found


def limits(drawn: Sequence[Curve], log: bool) -> tuple[float | None, float | None]:
    """Fit the completed runs after their first sixth; what is outside runs out of the frame."""
    lows: list[float] = []
    highs: list[float] = []
    for curve in drawn:
        if (band := curve.band) is None:
            continue
        keep = band.x >= band.x[0] + (band.x[-1] - band.x[0]) / 6
        if log:
            keep = np.ones_like(keep)
        lows.append(float(band.low[keep].min()))
        highs.append(float(band.high[keep].max()))
    if not lows:
        return None, None
    low, high = min(lows), max(highs)
    if log:
        factor = max((high / low) ** 0.05, 1.05)
        return low / factor, high * factor
    pad = 0.06 * (high - low) or 0.02 * abs(high) or 0.1
    return low - pad, high + pad


def _positive(curve: Curve) -> bool:
    drawn = [line[1] for _, line in curve.lost]
    if curve.band is not None:
        drawn.append(curve.band.low)
    return all(bool(np.all(line > 0)) for line in drawn)


def _plain(label: str) -> str:
    return label.replace(" (s)", "")
