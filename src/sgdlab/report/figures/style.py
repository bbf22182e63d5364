"""How figures look: one colour per optimizer, thin axes, text that follows the page's theme."""

import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK = "#1b1f24"
"""Text and axes; the HTML page replaces it by ``currentColor``."""

PAPER = "#fefefe"
"""Behind a figure; transparent in the HTML page."""

FAINT = "#9aa3ad"
"""Grid lines and links between points; legible on light and dark."""

# After Okabe and Ito, without yellow; the two lightest darkened for white paper.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b5579b", "#b8860b", "#3d9fd8", "#7a6a58")
_CYCLES: tuple[tuple[object, str], ...] = (
    ("-", "o"),
    ((0, (5, 1.6)), "s"),
    ((0, (1.4, 1.4)), "^"),
    ((0, (6, 1.5, 1.4, 1.5)), "D"),
)

RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "sgdlab",
    "path.simplify": True,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.use_mathtext": True,
    "axes.unicode_minus": True,
    "figure.facecolor": PAPER,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.minor.width": 0.5,
    "ytick.minor.width": 0.5,
    "grid.color": FAINT,
    "grid.linewidth": 0.4,
    "grid.alpha": 0.45,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}

# Laid out with the widest of these, so that no text runs into another.
_FONTS = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans'"

WIDTH, HEIGHT = 4.7, 3.1


@dataclass(frozen=True)
class Look:
    """How one optimizer is drawn, in every figure of a report."""

    colour: str
    dash: object
    marker: str


def looks(optimizers: Sequence[str]) -> dict[str, Look]:
    """Return a look per optimizer, by name: seven colours, then again with other dashes."""
    return {
        name: Look(COLOURS[i % len(COLOURS)], *_CYCLES[i // len(COLOURS) % len(_CYCLES)])
        for i, name in enumerate(sorted(set(optimizers)))
    }


def canvas(height: float = HEIGHT) -> tuple[Figure, Axes]:
    """Return a figure with one panel; call inside ``mpl.rc_context(RC)``."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(True, axis="y")
    axes.set_axisbelow(True)
    return figure, axes


def plain(name: str) -> str:
    """Return text that matplotlib draws as it is: a dollar sign starts no formula."""
    return name.replace("$", r"\$")


def svg(figure: Figure, description: str) -> str:
    """Return a figure as SVG, the same bytes for the same content."""
    FigureCanvasSVG(figure)
    out = io.StringIO()
    figure.savefig(
        out,
        format="svg",
        metadata={"Date": None, "Creator": None, "Title": description},
    )
    text = out.getvalue().replace("'DejaVu Sans'", _FONTS)
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)


def context() -> AbstractContextManager[None]:
    """Return the context in which every figure is drawn and written."""
    return mpl.rc_context(RC)
