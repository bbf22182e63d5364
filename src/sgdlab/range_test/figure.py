"""A range test as SVG."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sgdlab.range_test.finding import TAKE, RangeResult
from sgdlab.range_test.view import window
from sgdlab.report.charts.style import COLOURS, FAINT, INK, Look, context, plain, svg
from sgdlab.terminal.display import number

FILE = "lr_find.svg"


def draw(file: Path, findings: Sequence[RangeResult], title: str, is_linear: bool) -> None:
    """Draw the curves of one job, with all suggestions, or of several, with the rates to take.

    Args:
        file: To write; its folder exists.
        findings: At least one.
        title: Above the figure.
        is_linear: The rates rise linearly.
    """
    with context():
        figure = Figure(figsize=(6.8, 4.1), layout="constrained")
        axes = figure.subplots()
        axes.set_title(plain(title), loc="left", fontsize=10)
        axes.set_xscale("linear" if is_linear else "log")
        axes.set_xlabel("learning rate")
        axes.set_ylabel("loss")
        axes.grid(True)
        axes.set_axisbelow(True)
        if len(findings) == 1:
            _one(axes, findings[0])
        else:
            _several(axes, findings)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
        file.write_text(svg(figure, title))


def _one(axes: Axes, finding: RangeResult) -> None:
    seen = window(finding)
    axes.plot(seen.lrs, seen.losses, ".", color=FAINT, markersize=3, label="loss of a batch")
    axes.plot(seen.lrs, seen.values, color=COLOURS[0], label=seen.label)
    axes.axhline(finding.curve.initial_loss, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_ylim(top=seen.top)
    for number_of, (rule, lr) in enumerate(finding.suggested.items(), start=1):
        if lr is not None:
            look = Look(number_of)
            axes.plot(
                [lr], [finding.value_at(lr)], linestyle="none", marker="osD^"[number_of - 1],
                color=look.colour, markersize=6, label=f"{rule} {number(lr, 3)}", zorder=3,
            )  # fmt: skip
    if finding.take is not None:
        axes.axvline(
            finding.take, color=INK, linewidth=1, label=f"{TAKE} {number(finding.take, 3)}"
        )


def _several(axes: Axes, findings: Sequence[RangeResult]) -> None:
    tops: list[float] = []
    for index, finding in enumerate(findings):
        seen, look = window(finding), Look(index)
        tops.append(seen.top)
        take = finding.take
        label = finding.name if take is None else f"{finding.name}: {number(take, 3)}"
        style = {"color": look.colour, "linestyle": look.dash, "label": plain(label)}
        axes.plot(seen.lrs, seen.values, **style)
        if take is not None:
            height = finding.value_at(take)
            axes.plot([take], [height], marker="o", color=look.colour, zorder=3)
    axes.set_ylim(top=max(tops))
