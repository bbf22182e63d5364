"""A range test for a person: its progress, then the curve, and the suggestions as a table."""

import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from sgdlab.range_test.result import TAKE, RangeResult
from sgdlab.terminal.console import wrapped
from sgdlab.terminal.live_line import LiveLine
from sgdlab.terminal.numbers import number
from sgdlab.terminal.plot import Mark, PlotLine, plot

_MEANING = {
    "steepest": "where the loss falls fastest",
    "minimum/10": "a tenth of the rate with the smallest loss",
    "valley": "two thirds down the longest fall",
    "slide": "where the slope begins",
    TAKE: "of the four: take this one",
}


class RangeDisplay:
    """Shows a range test while it runs: a bar on a terminal, nothing elsewhere.

    Args:
        title: The word before the bar.
        steps: The number of updates to make.
    """

    def __init__(self, title: str, steps: int) -> None:
        self._title, self._total = title, steps
        self._drawn = self._start = time.monotonic()
        self._line = LiveLine()

    def __enter__(self) -> "RangeDisplay":
        self._line.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._line.stop()

    def step(self, step: int, loss: float, lr: float, grad_norm: float) -> None:
        """Show the rate and the loss of an update, ten times a second."""
        now = time.monotonic()
        if self._line.live and now - self._drawn >= 0.1:
            self._drawn = now
            left = (now - self._start) / max(step, 1) * (self._total - step)
            state = [f"lr {lr:.3g}", f"loss {loss:.4g}", f"grad norm {grad_norm:.3g}"]
            self._line.draw(self._title, step, self._total, left, state)


def show(console: Console, result: RangeResult, is_linear: bool) -> None:
    """Print one curve, its suggestions, and what to know about it."""
    _plot(console, [result], is_linear)
    _end(console, result, "")
    if result.take is None:
        return
    table = Table(box=None, pad_edge=False)
    headings = ["lr", *(["lr used"] if result.curve.is_scaled else []), "loss"]
    table.add_column("rule")
    for heading in headings:
        table.add_column(heading, justify="right")
    table.add_column("")
    for rule, lr in result.advice.items():
        cells = ["–"] * len(headings)
        if lr is not None:
            used = [number(result.scaled(lr), 3)] if result.curve.is_scaled else []
            cells = [number(lr, 3), *used, number(result.value_at(lr))]
        table.add_row(rule, *cells, _MEANING[rule], style="bold" if rule == TAKE else "")
    console.print(table)


def show_all(console: Console, results: Sequence[RangeResult], is_linear: bool) -> None:
    """Print all curves in one plot, and a table with a row for each job."""
    _plot(console, results, is_linear)
    for result in results:
        _end(console, result, f"{result.name}: ")
    table = Table(box=None, pad_edge=False)
    table.add_column("job")
    rules = [*results[0].suggested, TAKE]
    scaled = any(result.curve.is_scaled for result in results)
    for heading in (*rules, *(["lr used"] if scaled else [])):
        table.add_column(heading, justify="right")
    for result in results:
        cells = [number(result.suggested[rule], 3) for rule in result.suggested]
        take = result.take
        used = [number(take and result.scaled(take), 3)] if scaled else []
        table.add_row(result.name, *cells, f"[bold]{number(take, 3)}[/]", *used)
    console.print(table)


def _plot(console: Console, results: Sequence[RangeResult], is_linear: bool) -> None:
    lines: list[PlotLine] = []
    marks: list[Mark] = []
    for result in results:
        seen, _ = result.curve.visible()
        name = seen.label if len(results) == 1 else f"{result.name}: {seen.label}"
        lines.append(PlotLine(name, seen.lrs.tolist(), seen.values.tolist()))
        own = {f"{result.name}: {TAKE}": result.take}
        chosen = own if len(results) > 1 else result.advice
        marks += [
            Mark(f"{name} {number(lr, 3)}", lr, result.value_at(lr))
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


def _end(console: Console, result: RangeResult, name: str) -> None:
    lines = [result.why_none] if result.why_none else list(result.notes)
    if result.curve.stopped and not result.why_none:
        lines.insert(0, f"ended early: {result.curve.stopped}")
    for line in lines:
        console.print(
            wrapped(f"{name}{line}", sys.stdout), markup=False, highlight=False, soft_wrap=True
        )
