"""A map of two settings as matplotlib draws it: coloured cells with their values."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from sgdlab.report.charts.model import Axis, Cells
from sgdlab.report.charts.style import COLOURS, FAINT, INK, plain, shorten

PALE, DARK = "#eef3f8", COLOURS[0]
"""Ends of the scale on white paper; the page has its own in each theme."""


def cells(axes: Axes, series: Cells) -> None:
    """Draw every cell with its text; one without a value is an empty frame."""
    columns = max((len(row) for row in series.values), default=1)
    size = min(8.5, 60.0 / columns)
    for j, row in enumerate(series.values):
        for i, value in enumerate(row):
            share = series.share(value)
            known = share == share
            colour = mixed(share) if known else (1.0, 1.0, 1.0)
            axes.add_patch(
                Rectangle(
                    (i - 0.48, j - 0.46), 0.96, 0.92, facecolor=colour if known else "none",
                    edgecolor="none" if known else FAINT, linewidth=0.6, zorder=2,
                )
            )  # fmt: skip
            axes.text(
                i, j, plain(series.texts[j][i]), ha="center", va="center", fontsize=size,
                color=on(colour), linespacing=1.15, zorder=3,
            )  # fmt: skip


def mixed(share: float) -> tuple[float, float, float]:
    """Return the colour at a share of the way from pale to dark."""
    ends = zip(to_rgb(PALE), to_rgb(DARK), strict=True)
    red, green, blue = (a + share * (b - a) for a, b in ends)
    return red, green, blue


def on(colour: Sequence[float]) -> str:
    """Return black or white ink, whichever has the greater contrast (WCAG 2) on a colour."""
    light = luminance(colour)
    return (
        "#ffffff"
        if 1.05 / (light + 0.05) > (light + 0.05) / (luminance(to_rgb(INK)) + 0.05)
        else INK
    )


def luminance(colour: Sequence[float]) -> float:
    """Return the relative luminance of an sRGB colour, 0 to 1 (WCAG 2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def names_beside(axes: Axes, which: str, axis: Axis) -> None:
    """Write the names of the rows or columns of a map, and what they are of."""
    names = [plain(shorten(name, 22)) for name in axis.categories]
    places = range(len(names))
    if which == "x":
        turned = max(map(len, names), default=0) * len(names) > 55
        axes.set_xticks(places, names, rotation=90 if turned else 0)
        axes.set_xlim(-0.5, len(names) - 0.5)
        axes.set_xlabel(plain(axis.label))
    else:
        axes.set_yticks(places, names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_ylabel(plain(axis.label))
    axes.tick_params(axis="x" if which == "x" else "y", length=0)
    for side in axes.spines.values():
        side.set_visible(False)
