"""A range test for a person: the curve in the terminal, the suggestions as a table."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from sgdlab.range_test.finding import TAKE, RangeResult
from sgdlab.range_test.view import window
from sgdlab.terminal.display import number
from sgdlab.terminal.plot import Mark, plot
from sgdlab.terminal.plot import PlotLine as Line

_MEANING = {
    "steepest": "where the loss falls fastest",
    "minimum/10": "a tenth of the rate with the smallest loss",
    "valley": "two thirds down the longest fall",
    "slide": "where the slope begins",
    TAKE: "of the four: take this one",
}


def show(console: Console, finding: RangeResult, is_linear: bool) -> None:
    """Print one curve, its suggestions, and what to know about it."""
    _plot(console, [finding], is_linear)
    _end(console, finding, "")
    if finding.take is None:
        return
    table = Table(box=None, pad_edge=False)
    headings = ["lr", *_used_heading(finding), "loss"]
    table.add_column("rule")
    for heading in headings:
        table.add_column(heading, justify="right")
    table.add_column("")
    for rule, lr in (*finding.suggested.items(), (TAKE, finding.take)):
        cells = ["–"] * len(headings)
        if lr is not None:
            used = [number(finding.scaled(lr), 3)] if finding.curve.is_scaled else []
            cells = [number(lr, 3), *used, number(finding.value_at(lr))]
        table.add_row(rule, *cells, _MEANING[rule], style="bold" if rule == TAKE else "")
    console.print(table)


def show_all(console: Console, findings: Sequence[RangeResult], is_linear: bool) -> None:
    """Print all curves in one plot, and a table with a row for each job."""
    _plot(console, findings, is_linear)
    for finding in findings:
        _end(console, finding, f"{finding.name}: ")
    table = Table(box=None, pad_edge=False)
    table.add_column("job")
    rules = [*findings[0].suggested, TAKE]
    scaled = any(finding.curve.is_scaled for finding in findings)
    for heading in (*rules, *(["lr used"] if scaled else [])):
        table.add_column(heading, justify="right")
    for finding in findings:
        cells = [number(finding.suggested[rule], 3) for rule in finding.suggested]
        take = finding.take
        used = [number(take and finding.scaled(take), 3)] if scaled else []
        table.add_row(finding.name, *cells, f"[bold]{number(take, 3)}[/]", *used)
    console.print(table)


def _used_heading(finding: RangeResult) -> list[str]:
    return ["lr used"] if finding.curve.is_scaled else []


def _plot(console: Console, findings: Sequence[RangeResult], is_linear: bool) -> None:
    lines: list[Line] = []
    marks: list[Mark] = []
    for finding in findings:
        seen = window(finding)
        name = seen.label if len(findings) == 1 else f"{finding.name}: {seen.label}"
        lines.append(Line(name, seen.lrs.tolist(), seen.values.tolist()))
        if len(findings) > 1:
            chosen = {} if finding.take is None else {f"{finding.name}: {TAKE}": finding.take}
        else:
            chosen = {**finding.suggested, TAKE: finding.take}
        marks += [
            Mark(f"{name} {number(lr, 3)}", lr, finding.value_at(lr))
            for name, lr in chosen.items()
            if lr is not None
        ]
    if not any(line.x for line in lines):
        return
    text = plot(
        lines, marks, x_label="lr", y_label="loss", log_x=not is_linear,
        width=min(72, max(40, console.width - 14)), colours=console.is_terminal,
    )  # fmt: skip
    # The picture has colours of its own, and rich would fold its lines.
    print(text, file=console.file)


def _end(console: Console, finding: RangeResult, name: str) -> None:
    lines = [finding.why_none] if finding.why_none else list(finding.notes)
    if finding.curve.stopped and not finding.why_none:
        lines.insert(0, f"ended early: {finding.curve.stopped}")
    for line in lines:
        console.print(f"{name}{line}", markup=False, highlight=False, soft_wrap=True)
