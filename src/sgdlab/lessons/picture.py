"""The plot of a lesson: in a terminal, and as SVG."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator
from torch import Tensor

from sgdlab.config.schema import RunConfig
from sgdlab.datasets.problem import Function
from sgdlab.errors import InputError
from sgdlab.lessons.lesson import Lesson, Plot
from sgdlab.lessons.runs import LessonRun
from sgdlab.report.charts.style import COLOURS, context, plain, svg
from sgdlab.report.contour import Path2D, contour, window_of
from sgdlab.terminal import plot as terminal_plot
from sgdlab.terminal.plot import Mark, PlotLine
from sgdlab.training.dataset import dataset_of

Line = tuple[str, np.ndarray, np.ndarray]
"""A line's name, its x and its y."""

_POINTS = 241
"""Points of the grid under a contour, along each side."""


def in_terminal(lesson: Lesson, runs: Sequence[LessonRun], *, width: int, colours: bool) -> str:
    """Return the plot as lines of text."""
    plot = lesson.plot
    curves = [PlotLine(name, x.tolist(), y.tolist()) for name, x, y in lines_of(plot, runs)]
    marks: list[Mark] = []
    if plot.kind == "contour":
        marks = [Mark("start", curves[0].x[0], curves[0].y[0])]
    return terminal_plot.plot(
        curves, marks, x_label=plot.x_label or plot.x, y_label=plot.y_label or plot.y,
        log_x=plot.log_x, log_y=plot.log_y, width=width, colours=colours,
    )  # fmt: skip


def draw(lesson: Lesson, runs: Sequence[LessonRun], config: RunConfig) -> str:
    """Return the plot as SVG.

    Args:
        lesson: Says what is drawn.
        runs: The runs in the order of the lesson.
        config: The config of one run, for the function under the paths of a contour.
    """
    plot = lesson.plot
    lines = lines_of(plot, runs)
    if plot.kind == "contour":
        paths = [Path2D(name, x, y) for name, x, y in lines]
        window = tuple(plot.window) if plot.window else window_of(paths)
        values, minima = surface_of(config, window)
        labels = plot.x_label or plot.x, plot.y_label or plot.y
        return contour(values, window, paths, minima, lesson.title, *labels)
    with context():
        return svg(_figure(lesson, lines, runs), lesson.title)


@torch.no_grad()
def surface_of(
    config: RunConfig, window: Sequence[float]
) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Return ``f(x, y)`` on a grid, ``[y, x]``, and the minima.

    Args:
        config: A config whose dataset is the function.
        window: ``(left, right, bottom, top)``.

    Raises:
        InputError: The dataset is no function of two variables.
    """
    problem = dataset_of(config).problem
    function = problem.build().double().eval() if problem else None
    if not isinstance(function, Function) or function.w.numel() != 2:
        raise InputError("lesson.plot.kind=contour: needs a function of two variables")
    left, right, bottom, top = window
    x = torch.linspace(left, right, _POINTS, dtype=torch.float64)
    y = torch.linspace(bottom, top, _POINTS, dtype=torch.float64)
    row = torch.zeros(1, 1, dtype=torch.float64)

    def value(w: Tensor) -> Tensor:
        return torch.func.functional_call(function, {"w": w}, row)[0]

    points = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(-1, 2)
    values = torch.func.vmap(value)(points).reshape(_POINTS, _POINTS)
    return values.numpy(), [(x, y) for x, y in function.minima]


def lines_of(plot: Plot, runs: Sequence[LessonRun]) -> list[Line]:
    """Return what is drawn, a line per run; of points a line per member of ``plot.lines``.

    Raises:
        InputError: A run has no such column.
    """
    try:
        if plot.kind == "points":
            by_name = {run.name: run for run in runs}
            joined = {name: [by_name[run] for run in runs] for name, runs in plot.lines.items()}
            return [(n, _cells(rs, plot.x), _cells(rs, plot.y)) for n, rs in joined.items()]
        return [(label(run), *_columns(plot, run, plot.y)) for run in runs]
    except KeyError as error:
        raise InputError(f"lesson.plot: {error.args[0]}") from error


def label(run: LessonRun) -> str:
    """Return what a run is called in a legend: its name, and what it differs in."""
    name = run.name.replace("_", " ")
    text = f"{name}: {', '.join(run.overrides)}" if run.overrides else name
    return text if len(text) <= 64 else name


def _columns(plot: Plot, run: LessonRun, key: str) -> tuple[np.ndarray, np.ndarray]:
    table = run if plot.of == "steps" else run.evals[plot.of]
    x, y = table[plot.x], table[key]
    there = ~np.isnan(y)
    return x[there], y[there]


def _cells(runs: Sequence[LessonRun], key: str) -> np.ndarray:
    cells = [run.summary[key] for run in runs]
    return np.array([cell if isinstance(cell, int | float) else np.nan for cell in cells], float)


def _figure(lesson: Lesson, lines: Sequence[Line], runs: Sequence[LessonRun]) -> Figure:
    plot = lesson.plot
    figure = Figure(figsize=(6.6, 3.6 + 0.2 * len(lines)), layout="constrained")
    axes = figure.subplots()
    if plot.log_x:
        axes.set_xscale("log")
    if plot.log_y:
        axes.set_yscale("log")
    for index, (name, x, y) in enumerate(lines):
        colour = COLOURS[index % len(COLOURS)]
        few = plot.kind == "points" or len(x) <= 30
        marker: dict[str, Any] = {"marker": "o", "markersize": 3.5} if few else {}
        width = 1.6 if few or len(x) <= 200 else 1.0
        axes.plot(x, y, color=colour, label=plain(name), linewidth=width, **marker)
    if plot.limit is not None:
        _limits(axes, plot, runs)
    if plot.kind == "points" and plot.log_x:
        ticks = sorted({float(value) for _, x, _ in lines for value in x})
        axes.set_xticks(ticks, [f"{value:g}" for value in ticks])
        axes.xaxis.minorticks_off()
    _ticks(axes, plot)
    axes.set_title(plain(lesson.title), loc="left", fontsize=10)
    axes.set_xlabel(plain(plot.x_label or plot.x))
    axes.set_ylabel(plain(plot.y_label or plot.y))
    axes.grid(True)
    figure.legend(loc="outside lower left", ncols=1)
    return figure


def _ticks(axes: Axes, plot: Plot) -> None:
    """Leave no axis with a single label, and no half steps or epochs."""
    if plot.x in ("step", "epoch") and not plot.log_x:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    low, high = axes.get_ylim()
    if plot.log_y and high < 1000 * low:
        axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        axes.yaxis.set_minor_formatter(FormatStrFormatter("%g"))


def _limits(axes: Axes, plot: Plot, runs: Sequence[LessonRun]) -> None:
    """Draw a limit of each run thin and dashed, in the run's colour."""
    assert plot.limit is not None
    for index, run in enumerate(runs):
        x, y = _columns(plot, run, plot.limit)
        name = plot.limit.replace("_", " ") if index == 0 else None
        dash: Any = (0, (4, 2))
        axes.plot(
            x, y, color=COLOURS[index % len(COLOURS)], linewidth=0.9, linestyle=dash, label=name
        )
