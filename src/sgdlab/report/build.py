"""Builds a report from run folders: `build`."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from sgdlab.analysis import Analysis, analyse
from sgdlab.report import content, latex, markdown, page, tables
from sgdlab.report.charts.files import FORMATS, files
from sgdlab.report.charts.model import Chart
from sgdlab.report.charts.style import Look, looks
from sgdlab.report.document import Table
from sgdlab.report.figures.profiles import profile
from sgdlab.report.figures.workload import figures, prefixes
from sgdlab.report.verdict import verdicts
from sgdlab.report.winners import winners
from sgdlab.results import atomic_write, text, write_runs


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        out: The folder that holds all files of the report.
        analysis: All that the report says.
        verdicts: The answer in words, one text per workload and track.
    """

    out: Path
    analysis: Analysis
    verdicts: list[str]

    @property
    def html(self) -> Path:
        """The HTML page."""
        return self.out / "report.html"

    @property
    def problems(self) -> list[str]:
        """A line for every damaged file; empty when all could be read."""
        return self.analysis.runs.problems

    def show(self, console: Console) -> None:
        """Print the comparison, the verdicts and where the page is."""
        for result in self.analysis.results:
            console.print(_rich(tables.terminal(result)))
        for verdict in self.verdicts:
            console.print(Text(verdict, style="bold"))
        console.print(Text(f"report: {self.html}"), soft_wrap=True)


def build(
    roots: Sequence[Path],
    out: Path,
    target: float | str | None = None,
    margin: float | str | None = None,
    formats: Sequence[str] = FORMATS,
) -> Report:
    """Write tables, figures and pages about every run at or below ``roots`` into ``out``.

    Args:
        roots: Folders of runs, sweeps or comparisons.
        out: The folder of the report; made when missing.
        target: Value of the validation metric to time, or the contender whose median it is; by
            default that of the study, else derived per workload.
        margin: Largest difference that does not matter, or ``auto``; by default that of the study.
        formats: The formats of the figures: some of ``svg``, ``png``, ``pdf``.

    Raises:
        InputError: A root is missing or holds no run, or target or margin cannot be one.
    """
    analysis = analyse(roots, target, margin)
    names = prefixes(analysis.results)
    drawn = [figures(analysis.runs, *pair) for pair in zip(analysis.results, names, strict=True)]
    entries = [entry for result in analysis.results for entry in result.entries]
    palette = looks([entry.optimizer for entry in entries])
    best = winners(analysis)
    whole = content.document(analysis, drawn, profile(analysis), version("sgdlab"), best)
    write_runs(out / "runs.csv", analysis.runs.table)
    for name in ("comparison", "pairwise", "budget", "sensitivity", "audit"):
        _write_table(out / f"{name}.csv", getattr(analysis, name))
    for name, source in latex.latex(analysis).items():
        atomic_write(out / "tables" / name, source)
    _write_figures(out / "figures", whole.charts(), palette, formats)
    _write_winners(out, best.sources)
    atomic_write(out / "report.md", markdown.render(whole))
    atomic_write(out / "report.html", page.render(whole, palette))
    return Report(out, analysis, verdicts(analysis))


def _write_winners(out: Path, sources: Mapping[str, str]) -> None:
    """Write the winners, and remove those of an earlier report that are no more."""
    for old in out.glob("winner-*.py"):
        if old.name not in sources:
            old.unlink()
    for name, source in sources.items():
        atomic_write(out / name, source)


def _write_figures(
    folder: Path, charts: Sequence[Chart], palette: Mapping[str, Look], formats: Sequence[str]
) -> None:
    """Write the figures, and remove those of an earlier report that are no more."""
    kept = {f"{chart.name}.{ending}" for chart in charts for ending in formats}
    for ending in FORMATS:
        for old in folder.glob(f"*.{ending}"):
            if old.name not in kept:
                old.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    for chart in charts:
        for ending, made in files(chart, palette, formats).items():
            part = folder / f".{chart.name}.part"
            part.write_bytes(made)
            part.replace(folder / f"{chart.name}.{ending}")


def _write_table(path: Path, table: pd.DataFrame) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    for row in table.itertuples(index=False):
        writer.writerow([text(cell) for cell in row])
    atomic_write(path, out.getvalue())


def _rich(table: Table) -> RichTable:
    shown = RichTable(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in table.columns:
        numeric = column in table.numeric
        name = column == table.columns[0]
        shown.add_column(
            Text(column.replace(" to ", " to\n")),
            justify="right" if numeric else "left",
            no_wrap=numeric or name,
            overflow="ellipsis" if numeric or name else "fold",
        )
    for row in table.rows:
        shown.add_row(*(Text(cell) for cell in row))
    return shown
