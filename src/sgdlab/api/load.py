"""What a run or a comparison has left: the row of a run, the answer of a comparison; no torch."""

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from sgdlab.api.chart_view import ChartView
from sgdlab.api.frames import typed_frame
from sgdlab.api.study import Study, as_html
from sgdlab.errors import InputError
from sgdlab.report.verdict import Answer
from sgdlab.results import (
    STUDY_CONFIG_BEGIN,
    Cell,
    read_config,
    read_evals,
    read_steps,
    read_study,
    read_summary,
    shows,
)


class RunFailedError(RuntimeError):
    """A run failed: what is raised by a part of it, or by the machine, is its ``reason``.

    Attributes:
        run: What it left.
    """

    def __init__(self, run: "Run") -> None:
        super().__init__(f"{run.summary['reason']} ({run.directory / 'error.txt'})")
        self.run = run


_COMPARED = (
    "dataset", "model", "track", "optimizer", "metric", "test_metric_mean", "test_metric_ci_low",
    "test_metric_ci_high", "n", "completed", "diverged", "failed",
)  # fmt: skip


class Comparison(Study):
    """A study whose report has an answer: which is better, and how sure one can be."""

    @property
    def verdict(self) -> Answer:
        """The answer: ``headline``, ``number``, ``facts``, ``caveats`` and what to do ``next``.

        Raises:
            InputError: Nothing can be compared.
        """
        if not self.verdicts:
            raise InputError(f"{self.directory}: nothing can be compared")
        return self.verdicts[0]

    @cached_property
    def verdicts(self) -> list[Answer]:
        """The answer of each workload and track."""
        from sgdlab.report.verdict import answers

        return answers(self._analysis)

    @property
    def table(self) -> pd.DataFrame:
        """A row per contender, best first: the content of ``comparison.csv``."""
        return typed_frame(self._analysis.comparison)

    @property
    def pairs(self) -> pd.DataFrame:
        """A row per pair and metric, with its interval and test: that of ``pairwise.csv``."""
        return typed_frame(self._analysis.pairwise)

    @property
    def audit(self) -> pd.DataFrame:
        """What was checked of the comparison: the content of ``audit.csv``."""
        return typed_frame(self._analysis.audit)

    def plot_pairs(self) -> ChartView:
        """Return the difference of each pair with its interval.

        Raises:
            InputError: There is no pair.
        """
        return self._view("pair of contenders", lambda figures: figures.forest)

    def _shown(self) -> pd.DataFrame:
        return self.table[list(_COMPARED)]

    def _head(self) -> Iterator[str]:
        for answer in self.verdicts[:3]:
            yield f"<p><b>{as_html(answer.title)}</b><br>{as_html(answer.number)}</p>"
        yield from super()._head()


class Run(Study):
    """One run.

    Raises:
        InputError: The folder is none of a run that has ended.
    """

    def __init__(self, directory: str | os.PathLike[str], notices: Sequence[str] = ()) -> None:
        super().__init__(directory, notices)
        summary = read_summary(self.directory)
        if summary is None:
            raise InputError(f"{self.directory}: no summary.csv, so no run that has ended")
        self.summary: dict[str, Cell] = summary
        """The one row of ``summary.csv``."""

    @property
    def run_id(self) -> str:
        """The id of its experiment."""
        return str(self.summary["run_id"])

    @property
    def status(self) -> str:
        """``completed``, ``diverged``, ``stopped`` or ``failed``."""
        return str(self.summary["status"])

    @property
    def config(self) -> dict[str, Any]:
        """The resolved config."""
        return dict(read_config(self.directory) or {})

    @property
    def steps(self) -> pd.DataFrame:
        """The content of ``steps.csv``."""
        return read_steps(self.directory)

    @property
    def evals(self) -> pd.DataFrame:
        """The content of ``evals.csv``."""
        return read_evals(self.directory)

    def __repr__(self) -> str:
        return f"<Run {self.directory}: {self.status}>"

    def _head(self) -> Iterator[str]:
        reason = self.summary.get("reason")
        yield f"<p><b>{as_html(self.directory)}</b>: {as_html(self.status)}"
        yield f", {as_html(reason)}</p>" if reason else "</p>"


def load(directory: str | os.PathLike[str]) -> Study:
    """Return what lies in a folder: a `Run`, a `Comparison`, or a `Study` of all runs below it.

    Needs neither torch nor Hydra.

    Args:
        directory: The folder of a run, a sweep or a comparison.

    Raises:
        InputError: There is no run at or below it.
    """
    place = Path(directory)
    if not place.is_dir():
        raise InputError(f"{place}: no such folder")
    if (place / "summary.csv").is_file():
        return Run(place)
    is_comparison = read_study(place) is not None or shows(
        place / "config.yaml", [STUDY_CONFIG_BEGIN]
    )
    found = Comparison(place) if is_comparison else Study(place)
    if not len(found.runs):
        raise InputError(f"{place}: no run at or below it")
    return found
