"""A range test as SVG."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdlab.range_test.result import TAKE, RangeResult
from sgdlab.report.charts.style import COLOURS, FAINT, INK, Look, context, plain, svg
from sgdlab.results import atomic_write
from sgdlab.terminal.numbers import number


def draw(file: Path, results: Sequence[RangeResult], title: str, is_linear: bool) -> None:
    """Draw the curves of one job, with all suggestions, or of several, with the rates to take.

    Args:
        file: The file to write, in a folder that exists.
        results: The range tests, at least one.
        title: The line above the figure.
        is_linear: Whether the rates rise linearly.
    """
    with context():
        figure = Figure(figsize=(6.8, 4.1), layout="constrained")
        axes = figure.subplots()
        axes.set_title(plain(title), loc="left", fontsize=10)
        scale = "linear" if is_linear else "log"
        axes.set(xscale=scale, xlabel="learning rate", ylabel="loss")
        axes.grid(True)
        axes.set_axisbelow(True)
        if len(results) == 1:
            _one(axes, results[0])
        else:
            _several(axes, results)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
        atomic_write(file, svg(figure, title), durable=False)


def _one(axes: Axes, result: RangeResult) -> None:
    seen, top = result.curve.visible()
    axes.plot(seen.lrs, seen.losses, ".", color=FAINT, markersize=3, label="loss of a batch")
    axes.plot(seen.lrs, seen.values, color=COLOURS[0], label=seen.label)
    axes.axhline(result.curve.initial_loss, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_ylim(top=top)
    for number_of, (rule, lr) in enumerate(result.suggested.items(), start=1):
        if lr is not None:
            look = Look(number_of)
            axes.plot(
                [lr], [result.value_at(lr)], linestyle="none", marker="osD^"[number_of - 1],
                color=look.colour, markersize=6, label=f"{rule} {number(lr, 3)}", zorder=3,
            )  # fmt: skip
    if result.take is not None:
        axes.axvline(result.take, color=INK, linewidth=1, label=f"{TAKE} {number(result.take, 3)}")


def _several(axes: Axes, results: Sequence[RangeResult]) -> None:
    tops: list[float] = []
    for index, result in enumerate(results):
        (seen, top), look = result.curve.visible(), Look(index)
        tops.append(top)
        take = result.take
        label = result.name if take is None else f"{result.name}: {number(take, 3)}"
        style = {"color": look.colour, "linestyle": look.dash, "label": plain(label)}
        axes.plot(seen.lrs, seen.values, **style)
        if take is not None:
            height = result.value_at(take)
            axes.plot([take], [height], marker="o", color=look.colour, zorder=3)
    axes.set_ylim(top=max(tops))
