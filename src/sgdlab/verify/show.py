"""The results of ``sgdlab verify`` for a person: a line per check, a verdict, and the modes."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from sgdlab.terminal.console import console as plain_or_coloured
from sgdlab.terminal.numbers import number
from sgdlab.verify.modes import TARGET, ModeRow
from sgdlab.verify.runner import VerifyResult

_SIGN = {"at_most": "≤ ", "at_least": "≥ "}


def console() -> Console:
    """Return standard output; piped, its lines are as long as a terminal is wide."""
    return plain_or_coloured(elsewhere=100, highlight=False)


def print_heading(console: Console) -> None:
    """Print what stands above the checks."""
    _print_line(console, "row", "experiment", "predicted", "measured", "error", "allowed", "")


def print_result(console: Console, result: VerifyResult) -> None:
    """Print the line of a check."""
    check = result.check
    sign = _SIGN.get(check.kind, "")
    status = "[green]ok[/]" if check.passed else "[bold red]FAILED[/]"
    _print_line(
        console, result.row, check.experiment.replace("[", "\\["),
        f"{sign}{check.predicted:.5g}", f"{check.measured:.5g}", f"{check.error:.1e}",
        f"{check.tolerance:.1e}", status, style="",
    )  # fmt: skip


def _print_line(console: Console, *cells: str, style: str = "bold") -> None:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0), expand=True)
    for width in (8, None, 12, 11, 8, 8, 6):
        table.add_column(width=width, no_wrap=width is not None, ratio=None if width else 1)
    table.add_row(*cells, style=style)
    console.print(table)


def verdict(results: Sequence[VerifyResult], seconds: float) -> str:
    """Return the line that closes a verification."""
    found = {result.row for result in results}
    named = sum(not row.isdigit() for row in found)
    counts = [(len(found) - named, "row"), (named, "problem")]
    parts = " and ".join(_count(count, word) for count, word in counts if count)
    size = f"{parts}, {_count(len(results), 'check')}"
    off = [result.row for result in results if not result.check.passed]
    if not off:
        return f"[bold green]{size}: all hold ({seconds:.0f} s)[/]"
    bad = ", ".join(dict.fromkeys(off))
    return f"[bold red]{size}: {len(off)} FAILED, in {bad} ({seconds:.0f} s)[/]"


def _count(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def print_modes(console: Console, measured: Sequence[ModeRow]) -> None:
    """Print what batch, mini-batch and pure SGD cost and what they buy."""
    table = Table(box=None, pad_edge=False, title_justify="left", title_style="bold")
    table.title = f"\nLogistic regression until the gap has fallen to {100 * TARGET:g} %"
    table.add_column("mode")
    for heading in ("batch", "lr", "gradient variance", "ms/step", "steps", "examples", "seconds"):
        table.add_column(heading, justify="right")
    for row in measured:
        cells = (row.lr, row.gradient_variance, 1000 * row.seconds_per_step)
        table.add_row(
            row.mode, number(row.batch_size), *(number(cell, 3) for cell in cells),
            number(row.steps), number(row.examples), number(row.seconds, 3),
        )  # fmt: skip
    console.print(table)
    console.print()
