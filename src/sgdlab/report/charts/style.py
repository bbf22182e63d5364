"""How figures look: one colour per optimizer, thin axes, text that stays text."""

import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from sgdlab.errors import InputError, refuse_typed
from sgdlab.results import atomic_write, atomic_write_by, shows
from sgdlab.visible import visible, visible_lines

INK = "#1b1f24"
"""Text and axes."""

PAPER = "#fefefe"
"""Behind a figure."""

SOFT = "#57606a"
"""Points that belong to no optimizer."""

FAINT = "#9aa3ad"
"""Grid lines and links between points; legible on light and dark."""

# After Okabe and Ito, without yellow; the two lightest darkened for white paper.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#b5579b", "#b8860b", "#3d9fd8", "#7a6a58")

DASHES: tuple[object, ...] = ("-", (0, (5, 1.6)), (0, (1.4, 1.4)), (0, (6, 1.5, 1.4, 1.5)))
"""In the order of the page's script: whole, dashed, dotted, dash-dotted."""

MARKERS = ("o", "s", "^", "D")

RC: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "sgdlab",
    "pdf.fonttype": 42,  # journals refuse Type 3
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


@dataclass(frozen=True)
class Look:
    """How one optimizer is drawn in every figure of a report: places in the three cycles."""

    number: int

    @property
    def colour(self) -> str:
        """The colour of its lines and points, one of seven."""
        return COLOURS[self.number % len(COLOURS)]

    @property
    def cycle(self) -> int:
        """How many rounds of colours came before it: its place among dashes and markers."""
        return self.number // len(COLOURS) % len(DASHES)

    @property
    def dash(self) -> object:
        """The pattern of its lines."""
        return DASHES[self.cycle]

    @property
    def marker(self) -> str:
        """The shape of its points."""
        return MARKERS[self.cycle]


def looks(optimizers: Sequence[str]) -> dict[str, Look]:
    """Return a look per optimizer, by name: seven colours, then again with other dashes."""
    return {name: Look(number) for number, name in enumerate(sorted(set(optimizers)))}


def plain(name: str) -> str:
    """Return text that matplotlib draws as it is: a dollar sign starts no formula."""
    return visible_lines(name).replace("$", r"\$")


def shorten(name: str, most: int = 22) -> str:
    """Return a name that fits beside a figure."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def svg(figure: Figure, description: str) -> str:
    """Return a figure as SVG, the same bytes for the same content."""
    out = io.BytesIO()
    metadata = {"Date": None, "Creator": None, "Title": visible(description)}
    FigureCanvasSVG(figure).print_svg(out, metadata=metadata)
    text = out.getvalue().decode().replace("'DejaVu Sans'", _FONTS)
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)


def save(figure: Figure, path: Path, description: str, option: str = "") -> None:
    """Write a figure to a file, whose suffix, svg, png or pdf, is the format.

    The error names the ``option`` of the command line that gave the path.

    Raises:
        InputError: The path can be no file, or is one that is not an earlier one of this figure.
        UnwritableError: The machine refused.
    """
    is_taken = path.is_symlink() or (path.is_file() and path.stat().st_size)
    if is_taken and not shows(path, [description.encode()], whole=True):
        raise InputError(
            f"{option}{path}: not this figure as sgdlab draws it, so it is not replaced; "
            "move it, or choose another name"
        )
    try:
        if path.suffix.lower() == ".svg":
            atomic_write(path, svg(figure, description), durable=False)
        else:
            ending = path.suffix.lower()[1:]
            draw = partial(figure.savefig, format=ending, dpi=150, metadata={"Title": description})
            atomic_write_by(draw, path, durable=False)
    except OSError as error:
        refuse_typed(error, f"{option}{path}")
        raise


def context() -> AbstractContextManager[None]:
    """Return the context in which every figure is drawn and written."""
    return mpl.rc_context(RC)
