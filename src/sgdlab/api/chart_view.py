"""A figure of a report that shows itself in a notebook."""

import base64
import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sgdlab.errors import InputError
from sgdlab.report.charts.files import FORMATS, files
from sgdlab.report.charts.model import Chart
from sgdlab.report.charts.style import Look
from sgdlab.visible import visible


@dataclass(frozen=True)
class ChartView:
    """A figure with its caption; the last value of a notebook's cell is drawn.

    Attributes:
        chart: What is drawn, as data.
        looks: The look of each name in it.
    """

    chart: Chart
    looks: Mapping[str, Look]

    def __repr__(self) -> str:
        return f"<{self.chart.title}>"

    def save(self, path: str | Path) -> Path:
        """Write the figure to a file, whose suffix, svg, png or pdf, is the format; return it.

        Raises:
            InputError: It has another suffix.
        """
        path = Path(path)
        ending = path.suffix.lstrip(".").lower()
        if ending not in FORMATS:
            raise InputError(f"{path}: must end in one of .{', .'.join(FORMATS)}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(files(self.chart, self.looks, [ending])[ending])
        return path

    def _repr_svg_(self) -> str:
        return files(self.chart, self.looks)["svg"].decode()

    def _repr_html_(self) -> str:
        # As an image: the names within two pictures of one page must not meet.
        data = base64.b64encode(self._repr_svg_().encode()).decode()
        title, caption = (html.escape(visible(t)) for t in (self.chart.title, self.chart.caption))
        return (
            '<figure style="margin:0;max-width:40em;background:#fff;color:#222;padding:4px">'
            f'<img alt="{title}" style="width:100%" src="data:image/svg+xml;base64,{data}">'
            f"<figcaption><small>{caption}</small></figcaption></figure>"
        )
