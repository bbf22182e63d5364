"""Builds a report from run folders: `build`."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from sgdlab.analysis import Analysis, analyse
from sgdlab.report import content, html, markdown, tables
from sgdlab.report.document import Image, Table
from sgdlab.report.figures.style import looks
from sgdlab.report.figures.workload import figures, slug
from sgdlab.results import atomic_write, text, write_runs


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        out: Its folder, which holds all files below.
        html: The page.
        markdown: The same as Markdown.
        verdicts: The answer in words, one text per workload.
        comparison: ``comparison.csv``.
        pairwise: ``pairwise.csv``.
        problems: A line for every damaged file; empty when all could be read.
        summaries: A short table per workload, for the terminal.
    """

    out: Path
    html: Path
    markdown: Path
    verdicts: list[str]
    comparison: pd.DataFrame
    pairwise: pd.DataFrame
    problems: list[str]
    summaries: list[Table] = field(default_factory=list[Table])

    def show(self, console: Console) -> None:
        """Print the comparison, the verdicts and where the page is."""
        for summary in self.summaries:
            console.print(_rich(summary))
        for verdict in self.verdicts:
            console.print(Text(verdict, style="bold"))
        console.print(Text(f"report: {self.html}"), soft_wrap=True)


def build(roots: Sequence[Path], out: Path, target: float | None = None) -> Report:
    """Write tables, figures and pages about every run at or below ``roots`` into ``out``.

    Args:
        roots: Folders of runs, sweeps or comparisons.
        out: Folder of the report; made when missing.
        target: Value of the validation metric to time; by default derived per workload.

    Raises:
        InputError: A root is missing or holds no run, or the target cannot be one.
    """
    analysis = analyse(roots, target)
    comparison, pairwise = analysis.comparison, analysis.pairwise
    images = _images(analysis)
    page = content.document(analysis, images, version("sgdlab"))
    write_runs(out / "runs.csv", analysis.runs.table)
    _write_table(out / "comparison.csv", comparison)
    _write_table(out / "pairwise.csv", pairwise)
    _write_figures(out / "figures", images)
    atomic_write(out / "report.md", markdown.render(page))
    atomic_write(out / "report.html", html.render(page))
    return Report(
        out=out,
        html=out / "report.html",
        markdown=out / "report.md",
        verdicts=analysis.verdicts,
        comparison=comparison,
        pairwise=pairwise,
        problems=list(analysis.runs.problems),
        summaries=[tables.terminal(result) for result in analysis.results],
    )


def _images(analysis: Analysis) -> dict[int, list[Image]]:
    names = [entry.optimizer for result in analysis.results for entry in result.entries]
    palette = looks(names)
    used: set[str] = set()
    images: dict[int, list[Image]] = {}
    for position, result in enumerate(analysis.results):
        prefix = slug(result.workload.name)
        while prefix in used:
            prefix += "-x"
        used.add(prefix)
        images[position] = figures(analysis.runs, result, palette, prefix)
    return images


def _write_figures(folder: Path, images: Mapping[int, Sequence[Image]]) -> None:
    """Write the figures, and remove those of an earlier report that are no more."""
    kept = {f"{image.name}.svg": image.svg for group in images.values() for image in group}
    for old in folder.glob("*.svg"):
        if old.name not in kept:
            old.unlink()
    for name, svg in kept.items():
        atomic_write(folder / name, svg)


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
