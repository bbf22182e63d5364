"""A diagnosis as text for a terminal."""

import textwrap
from collections.abc import Sequence

from sgdlab.diagnosis.finding import Diagnosis, Finding, Picture
from sgdlab.diagnosis.pace import FEW_STEPS
from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.words import number, steps
from sgdlab.terminal.plot import plot
from sgdlab.visible import visible

WIDTH = 100
_INDENT = " " * 4


ALL_SHOWN = 5
"""Runs up to which each is described in full; of more, those with alarms are."""


def report(rows: Sequence[tuple[RunRecord, Diagnosis]], plots: bool, colours: bool) -> str:
    """Return what is said about some runs: each described, and a table if there are several.

    Args:
        rows: The runs and what they show.
        plots: Whether the evidence is drawn, where the runs are few.
        colours: Whether the pictures have colours.
    """
    many = len(rows) > ALL_SHOWN
    described = [row for row in rows if row[1].alarms or not many]
    parts = [listing(run, diagnosis, plots and not many, colours) for run, diagnosis in described]
    if len(rows) > 1:
        parts.append(table(rows))
    return "\n\n".join(parts)


def listing(run: RunRecord, diagnosis: Diagnosis, plots: bool, colours: bool) -> str:
    """Return all that is said about one run.

    Args:
        run: The run.
        diagnosis: What it shows.
        plots: Whether the evidence is drawn.
        colours: Whether the pictures have colours.
    """
    lines = [visible(f"{run.directory.as_posix()}: {heading(run)}")]
    if not diagnosis.alarms:
        lines.append(visible(f"  {clean(run, diagnosis)}"))
    for finding in diagnosis.findings:
        lines += ["", *map(visible, _finding(finding))]
        lines += _drawn(finding, colours) if plots else []
    if diagnosis.unchecked:
        reasons: dict[str, list[str]] = {}
        for symptom, reason in diagnosis.unchecked:
            reasons.setdefault(reason, []).append(symptom)
        told = "; ".join(f"{', '.join(names)} ({why})" for why, names in reasons.items())
        lines += ["", *map(visible, _field("not checked", told, "  "))]
    return "\n".join(lines)


def heading(run: RunRecord) -> str:
    """Return what a run was, in a line."""
    made, planned = len(run.step), run.planned_steps
    far = steps(made) if not planned or planned == made else f"{made:,} of {steps(planned)}"
    what = f"{run.optimizer} lr {number(run.config['lr'])}"
    return f"{run.name('dataset')}/{run.name('model')}, {what}, {far}, {run.status}"


def clean(run: RunRecord, diagnosis: Diagnosis) -> str:
    """Say that nothing was found, and how much that means."""
    if run.status == "failed":
        return f"no symptom in the numbers, but the run failed: {run.reason or 'see error.txt'}"
    if len(run.loss) < FEW_STEPS:
        return f"no symptom, but {steps(len(run.loss))} tell little"
    unfinished = ", so far" if run.status == "unfinished" else ""
    return f"nothing wrong{unfinished}" + (": notes only" if diagnosis.findings else "")


def _finding(finding: Finding) -> list[str]:
    lines = [f"  {finding.severity}: {finding.title} ({finding.symptom})"]
    for number_, sentence in enumerate(finding.evidence):
        lines += _field("evidence" if not number_ else "", sentence)
    lines += _field("cause", finding.cause)
    if finding.action.startswith("sgdlab "):  # never folded: it is there to be copied
        lines.append(f"{_INDENT}{'try':<10}{finding.action}")
    else:
        lines += _field("try", finding.action)
    lines += _field("confirm", finding.confirm)
    return lines


def _drawn(finding: Finding, colours: bool) -> list[str]:
    if finding.plot is None or finding.severity == "note":
        return []
    return [_INDENT + line for line in picture(finding.plot, colours).splitlines()]


def _field(name: str, text: str, indent: str = _INDENT) -> list[str]:
    head = f"{indent}{name:<10}" if len(name) < 10 else f"{indent}{name}: "
    return textwrap.wrap(
        text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def picture(what: Picture, colours: bool) -> str:
    """Return the evidence drawn; empty where it has no point that can be."""
    try:
        return plot(
            what.curves, what.marks, x_label=what.x_label, y_label=what.y_label,
            log_y=what.log_y, height=8, colours=colours,
        )  # fmt: skip
    except ValueError:
        return ""


def table(rows: Sequence[tuple[RunRecord, Diagnosis]]) -> str:
    """Return a line per run: where it lies, how it ended, what it shows."""
    folders = [visible(run.directory.as_posix()) for run, _ in rows]
    width = max(len("run"), *map(len, folders))
    ended = [visible(run.status) for run, _ in rows]
    status = max(len("status"), *map(len, ended))
    lines = [f"{'run':<{width}}  {'status':<{status}}  findings"]
    for folder, end, (_, diagnosis) in zip(folders, ended, rows, strict=True):
        alarms = ", ".join(f.symptom for f in diagnosis.alarms) or "–"
        notes = len(diagnosis.findings) - len(diagnosis.alarms)
        more = f" (+{notes} note{'s' if notes > 1 else ''})" if notes else ""
        lines.append(f"{folder:<{width}}  {end:<{status}}  {alarms}{more}")
    return "\n".join(lines)
