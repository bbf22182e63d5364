"""Figures as files: SVG, PNG and PDF from one drawing."""

import io
from collections.abc import Mapping, Sequence

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure

from sgdlab.report.charts.draw import draw
from sgdlab.report.charts.font import NAME, light
from sgdlab.report.charts.model import Chart
from sgdlab.report.charts.style import RC, Look, context, svg

FORMATS = ("svg", "png", "pdf")

DPI = 200
"""The resolution of PNG files."""


def files(
    chart: Chart, looks: Mapping[str, Look], formats: Sequence[str] = FORMATS
) -> dict[str, bytes]:
    """Return a chart's files by their ending; the same bytes for the same chart.

    Args:
        chart: What to draw.
        looks: The look of each optimizer, by name.
        formats: The formats wanted, of `FORMATS`.
    """
    found: dict[str, bytes] = {}
    with context(), mpl.rc_context({"font.sans-serif": [light(), *RC["font.sans-serif"]]}):
        figure = draw(chart, looks)
        # The layout takes as long as a drawing, and is the same in every format.
        FigureCanvasAgg(figure)
        if (engine := figure.get_layout_engine()) is not None:
            engine.execute(figure)
        figure.set_layout_engine("none")
        writers = {"svg": _svg, "png": _png, "pdf": _pdf}
        for name in formats:
            found[name] = writers[name](figure, chart.title)
    return found


def _svg(figure: Figure, title: str) -> bytes:
    return svg(figure, title).replace(f"'{NAME}', ", "").encode()


# The methods of the canvas, not `savefig`, which draws everything once more beforehand.
def _png(figure: Figure, title: str) -> bytes:
    out = io.BytesIO()
    figure.set_dpi(DPI)
    FigureCanvasAgg(figure).print_png(out, metadata={"Software": None, "Title": title})
    return out.getvalue()


def _pdf(figure: Figure, title: str) -> bytes:
    out = io.BytesIO()
    nothing = {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None}
    FigureCanvasPdf(figure).print_pdf(out, metadata={**nothing, "Title": title})
    return out.getvalue()
