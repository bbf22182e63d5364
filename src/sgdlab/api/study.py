"""All runs at or below a folder, as tables and figures; no torch."""

import html
import os
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from sgdlab.api.chart_view import ChartView
from sgdlab.api.frames import joined, typed_frame
from sgdlab.errors import InputError
from sgdlab.results import collect, read_every_evals, read_every_steps
from sgdlab.visible import visible

if TYPE_CHECKING:
    from sgdlab.analysis import Analysis

AGAINST = ("steps", "examples", "seconds")
"""What curves are drawn against."""


class Study:
    """All runs at or below a folder.

    Args:
        directory: The folder.
        notices: What the command that made it had to note.

    Raises:
        InputError: There is no such folder, or no run in it.
    """

    def __init__(self, directory: str | os.PathLike[str], notices: Sequence[str] = ()) -> None:
        self.directory = Path(directory)
        self.notices = tuple(notices)
        if not self.directory.is_dir():
            raise InputError(f"{self.directory}: no such folder")

    @cached_property
    def _collected(self) -> tuple[pd.DataFrame, list[str]]:
        return collect([self.directory])

    @property
    def runs(self) -> pd.DataFrame:
        """A row per run: its directory, and the columns of ``summary.csv``."""
        return typed_frame(self._collected[0])

    @property
    def problems(self) -> list[str]:
        """A line for each file that cannot be read."""
        return list(self._collected[1])

    @property
    def steps(self) -> pd.DataFrame:
        """The rows of every ``steps.csv``, with the ``run_id`` and ``directory`` of their run."""
        return joined(self._collected[0], read_every_steps)

    @property
    def evals(self) -> pd.DataFrame:
        """The rows of every ``evals.csv``, with the ``run_id`` and ``directory`` of their run."""
        return joined(self._collected[0], read_every_evals)

    @cached_property
    def _analysis(self) -> "Analysis":
        from sgdlab.analysis import analyse

        return analyse([self.directory])

    def report(self) -> Path:
        """Write the report into its folder ``report``; return the page, ``report.html``.

        Raises:
            InputError: A file there is not of a report.
        """
        from sgdlab.report import build

        return build([self.directory], self.directory / "report").html

    def plot_metric(self, against: str = "steps") -> ChartView:
        """Return the validation metric against ``steps``, ``examples`` or ``seconds``.

        Raises:
            InputError: There is nothing to draw, or ``against`` is none of them.
        """
        return self._curves("validation", against)

    def plot_loss(self, against: str = "steps") -> ChartView:
        """Return the training loss against ``steps``, ``examples`` or ``seconds``.

        Raises:
            InputError: There is nothing to draw, or ``against`` is none of them.
        """
        return self._curves("loss", against)

    def plot_gradient_norm(self) -> ChartView:
        """Return the gradient norm against steps.

        Raises:
            InputError: There is nothing to draw.
        """
        return self._view("gradient norms", lambda figures: figures.gradient)

    def plot_learning_rate(self) -> ChartView:
        """Return the validation metric against the learning rate.

        Raises:
            InputError: The runs have one learning rate only.
        """
        return self._view("several learning rates", lambda figures: figures.rates)

    def plot_seeds(self) -> ChartView:
        """Return the metric of every seed or replicate, a row for each of what is compared.

        Raises:
            InputError: There is nothing to draw.
        """
        return self._view("runs that completed", lambda figures: figures.units)

    def _curves(self, name: str, against: str) -> ChartView:
        if against not in AGAINST:
            raise InputError(f"against={against!r}: must be one of {', '.join(AGAINST)}")

        def chosen(figures: Any) -> list[Any]:
            ending = f"{name}-{against}"
            return [chart for chart in figures.curves if chart.name.endswith(ending)]

        return self._view("runs with evaluations", chosen)

    def _view(self, what: str, chosen: Callable[[Any], Sequence[Any]]) -> ChartView:
        """Return the first figure of a kind; the workloads of a study come in their order."""
        from sgdlab.report.charts.style import Look, looks
        from sgdlab.report.figures.workload import figures, prefixes

        analysis = self._analysis
        for result, prefix in zip(analysis.results, prefixes(analysis.results), strict=True):
            for chart in chosen(figures(analysis.runs, result, prefix)):
                compared = looks([entry.optimizer for entry in result.entries])
                others = sorted(set(chart.names) - compared.keys())
                more = {name: Look(len(compared) + n) for n, name in enumerate(others)}
                return ChartView(chart, compared | more)
        raise InputError(f"{self.directory}: nothing to draw, since it has no {what}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.directory}: {len(self._collected[0])} runs>"

    def _repr_html_(self) -> str:
        table = self._shown().to_html(index=False, na_rep="", float_format=lambda v: f"{v:.4g}")
        return "".join([*self._head(), table, *_notes(self.notices)])

    def _shown(self) -> pd.DataFrame:
        """Return the rows that a notebook shows."""
        runs = self.runs
        table = runs[[column for column in _SHOWN if column in runs.columns]]
        return table.sort_values("final_val_loss", na_position="last", kind="stable").head(_MOST)

    def _head(self) -> Iterator[str]:
        yield f"<p><b>{as_html(self.directory)}</b>, {len(self._collected[0])} runs</p>"


_MOST = 20
"""Rows that a notebook shows."""

_SHOWN = (
    "dataset", "model", "optimizer", "lr", "seed", "status", "final_val_loss", "metric",
    "final_val_metric",
)  # fmt: skip


def as_html(value: object) -> str:
    """Return text that a page shows as it is."""
    return html.escape(visible(str(value)))


def _notes(notices: Sequence[str]) -> list[str]:
    return [f"<p><small>note: {as_html(line)}</small></p>" for line in notices]
