"""Builds a report from run folders: `build`."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from sgdlab.analysis import Analysis, analyse
from sgdlab.report import content, latex, markdown, page
from sgdlab.report.ablation_table import ablation_frame
from sgdlab.report.charts.files import DEFAULT_FORMATS, files
from sgdlab.report.charts.style import Look, looks
from sgdlab.report.claims import claims_table
from sgdlab.report.document import Document
from sgdlab.report.figures.profiles import profile
from sgdlab.report.figures.workload import figures, prefixes
from sgdlab.report.folder import ReportFolder
from sgdlab.report.origin import Making, Origin
from sgdlab.report.speed_up_table import speed_up_frame
from sgdlab.report.verdict import Answer, Joint, answers, joint
from sgdlab.report.verdict.as_json import as_json
from sgdlab.report.winners import winners
from sgdlab.results import RUNS, as_cell, columns_of, runs_text
from sgdlab.results.lock import REFUSE, held
from sgdlab.terminal.notices import warn

_TABLES = ("comparison", "pairwise", "budget", "sensitivity", "audit")
_OVER_WORKLOADS = ("joint.csv", "effects.csv")


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        out: The folder that holds all files of the report.
        analysis: All that the report says.
        answers: The answer in words, one per workload and track.
        joint: The answer over several workloads; None where there is one.
    """

    out: Path
    analysis: Analysis
    answers: list[Answer]
    joint: Joint | None

    @property
    def html(self) -> Path:
        """The HTML page."""
        return self.out / "report.html"

    @property
    def problems(self) -> list[str]:
        """A line for every damaged file; empty when all could be read."""
        return self.analysis.runs.problems


def build(
    roots: Sequence[Path],
    out: Path,
    target: float | str | None = None,
    margin: float | str | None = None,
    formats: Sequence[str] = DEFAULT_FORMATS,
    lock: str = REFUSE,
    by: Sequence[str] | None = None,
    origin: Origin | None = None,
    reload: float = 0.0,
) -> Report:
    """Write tables, figures and pages about every run at or below ``roots`` into ``out``.

    Args:
        roots: Folders of runs, sweeps or comparisons.
        out: The folder of the report; made when missing.
        target: Value of the validation metric to time, or the contender whose median it is; by
            default that of the study, else derived per workload.
        margin: Largest difference that does not matter, or ``auto``; by default that of the study.
        formats: The formats of the figures: some of ``svg``, ``png``, ``pdf``.
        lock: Whether to ``refuse`` while another process writes into ``out``, or to ``wait``.
        by: The settings whose values are compared; by default the optimizers, or what a sweep of
            one optimizer varied.
        origin: Where the roots come from, where they were unpacked from archives.
        reload: The seconds after which the page loads itself anew; 0: it stays as it is.

    Raises:
        InputError: A root is missing or holds no run, or target or margin cannot be one, or a
            setting of ``by`` does not vary, or a file in ``out`` is not of a report; nothing was
            written.
    """
    ReportFolder(out, roots)
    analysis = analyse(roots, target, margin, by)
    if origin is not None:
        origin.add_to(analysis.runs.problems)
    settings = {result.workload.by for result in analysis.results}
    compared = settings.pop() if len(settings) == 1 else ()
    made = Making(origin or Origin.of(roots, out), compared, target, margin)
    return write(analysis, out, roots, made, formats, lock, reload)


def write(
    analysis: Analysis,
    out: Path,
    roots: Sequence[Path],
    made: Making,
    formats: Sequence[str] = DEFAULT_FORMATS,
    lock: str = REFUSE,
    reload: float = 0.0,
) -> Report:
    """Write tables, figures and pages about runs that were analysed before.

    Args:
        analysis: All that the report says.
        out: The folder of the report; made when missing.
        roots: Where the runs are from: files or folders.
        made: How the report is made, which it says.
        formats: See `build`.
        lock: Likewise.
        reload: Likewise.

    Raises:
        InputError: A file in ``out`` is not of a report; nothing was written.
    """
    folder = ReportFolder(out, roots)
    names = prefixes(analysis.results)
    drawn = [figures(analysis.runs, *pair) for pair in zip(analysis.results, names, strict=True)]
    best = winners(analysis)
    said, over, made_by = answers(analysis), joint(analysis), version("sgdlab")
    whole = content.document(analysis, said, over, drawn, profile(analysis), made_by, best, made)
    palette = _looks(analysis, whole)
    # Made one by one as they are written: pictures of many workloads are large together.
    texts: dict[str, Callable[[], str]] = {
        RUNS: lambda: runs_text(out, columns_of(analysis.runs.table)),
        **{f"{name}.csv": partial(_csv, getattr(analysis, name)) for name in _TABLES},
        **{
            f"tables/{name}": lambda source=source: source
            for name, source in latex.latex(analysis).items()
        },
        **{name: lambda source=source: source for name, source in best.sources.items()},
        **(
            {"speedup.csv": partial(_csv, sooner)}
            if len(sooner := speed_up_frame(analysis))
            else {}
        ),
        **(
            {name: partial(_csv, getattr(analysis, name[:-4])) for name in _OVER_WORKLOADS}
            if analysis.together
            else {}
        ),
        **({"axes.csv": partial(_csv, analysis.axes)} if analysis.lines else {}),
        **({"ablation.csv": partial(_csv, rows)} if len(rows := ablation_frame(analysis)) else {}),
        **({"claims.csv": partial(_csv, claims)} if len(claims := claims_table(analysis)) else {}),
        "verdict.json": lambda: as_json(analysis, said, over, made_by),
        "report.md": lambda: markdown.render(whole),
        "report.html": lambda: page.render(whole, palette, reload),
    }
    charts = whole.charts()
    pictures = [f"figures/{chart.name}.{ending}" for chart in charts for ending in formats]
    folder.refuse_others([*texts, *pictures])
    with held(out, lock, warn, apart=True, otherwise="--lock wait waits for it"):
        folder = ReportFolder(out, roots)  # another report may have been written meanwhile
        folder.refuse_others([*texts, *pictures])
        with folder.replacement() as replacement:
            for name, make in texts.items():
                replacement.write(name, make())
            for chart in charts:
                for ending, picture in files(chart, palette, formats).items():
                    replacement.write(f"figures/{chart.name}.{ending}", picture)
            aside = folder.commit(replacement)
    if aside is not None:
        warn(f"{out}: of an older version of sgdlab; its files are in {aside} now")
    return Report(out, analysis, said, over)


def _looks(analysis: Analysis, whole: Document) -> dict[str, Look]:
    """Return the look of what is compared, and of the other lines of figures.

    Where settings are compared no figure has both, and either begin at the first colour.
    """
    compared = {entry.optimizer for result in analysis.results for entry in result.entries}
    others = {name for chart in whole.charts() for name in chart.names} - compared
    apart = all(result.workload.by for result in analysis.results)
    first = 0 if apart else len(compared)
    lines = {name: Look(first + number) for number, name in enumerate(sorted(others))}
    return looks([*compared]) | lines


def _csv(table: pd.DataFrame) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    for row in table.itertuples(index=False):
        writer.writerow([as_cell(cell) for cell in row])
    return out.getvalue()
