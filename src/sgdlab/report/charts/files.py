"""Figures as files: SVG, PNG and PDF from one drawing."""

import io
from collections.abc import Mapping, Sequence

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from sgdlab.report.charts.draw import draw
from sgdlab.report.charts.model import Chart
from sgdlab.report.charts.style import RC, Look, context, svg
from sgdlab.visible import visible

FORMATS = ("svg", "png", "pdf")

DEFAULT_FORMATS = FORMATS[:1]
"""What a report has unless asked for more: the two others take twice as long as the rest of it."""

DPI = 200
"""The resolution of PNG files."""


def files(
    chart: Chart, looks: Mapping[str, Look], formats: Sequence[str] = DEFAULT_FORMATS
) -> dict[str, bytes]:
    """Return a chart's files by their ending; the same bytes for the same chart.

    What a file holds does not depend on the others that are asked for.

    Args:
        chart: What to draw.
        looks: The look of each optimizer, by name.
        formats: The formats wanted, of `FORMATS`.
    """
    found: dict[str, bytes] = {}
    with context():
        figure = draw(chart, looks)
        # The layout takes as long as a drawing, and is the same in every format.
        FigureCanvasAgg(figure)
        if (engine := figure.get_layout_engine()) is not None:
            engine.execute(figure)
        figure.set_layout_engine("none")
        writers = {"svg": _svg, "png": _png, "pdf": _pdf}
        for name in formats:
            found[name] = writers[name](figure, visible(chart.title))
    return found


def _svg(figure: Figure, title: str) -> bytes:
    return svg(figure, title).encode()


# The methods of the canvas, not `savefig`, which draws everything once more beforehand.
def _png(figure: Figure, title: str) -> bytes:
    out = io.BytesIO()
    figure.set_dpi(DPI)
    FigureCanvasAgg(figure).print_png(out, metadata={"Software": None, "Title": title})
    return out.getvalue()


def _pdf(figure: Figure, title: str) -> bytes:
    # They take a fifth of a second to import.
    from matplotlib.backends.backend_pdf import FigureCanvasPdf

    from sgdlab.report.charts.font import light

    out = io.BytesIO()
    nothing = {"CreationDate": None, "ModDate": None, "Creator": None, "Producer": None}
    with mpl.rc_context({"font.sans-serif": [light(), *RC["font.sans-serif"]]}):
        FigureCanvasPdf(figure).print_pdf(out, metadata={**nothing, "Title": title})
    return out.getvalue()
