"""A report in the terminal: its tables, the answer in a few lines, and where the page is."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from sgdlab.analysis import Analysis, Result
from sgdlab.report import tables
from sgdlab.report.build import Report
from sgdlab.report.content import NOTHING
from sgdlab.report.document import Table
from sgdlab.report.track_titles import track_title
from sgdlab.report.verdict import Answer, Joint
from sgdlab.terminal.console import print_sentence
from sgdlab.visible import visible, visible_lines

_INDENT = 2


def show(report: Report, console: Console) -> None:
    """Print the comparison, the answers and where the page is."""
    show_answers(report.analysis, report.answers, console, report.joint)
    console.print(Text(f"report: {visible(str(report.html))}"), soft_wrap=True)


def show_answers(
    analysis: Analysis, answers: Sequence[Answer], console: Console, over: Joint | None = None
) -> None:
    """Print the comparison and the answers."""
    for result in analysis.results:
        if len(analysis.results) > 1 and (title := _title(analysis, result)):
            print_sentence(console, title, style="bold")
        console.print(_rich(tables.terminal(result)))
    if over is not None:
        console.print(_rich(tables.matrix(over)))
        _lines(console, over.headline, [*over.tests, over.number])
    for answer in answers:
        _lines(console, answer.title, list(_under(answer)))
        if answer.next is not None and answer.next.command:
            # One line whatever the width: it is there to be copied.
            console.print(Text(f"    {visible(answer.next.command)}"), soft_wrap=True)
    if not answers:
        _lines(console, NOTHING, [])


def _title(analysis: Analysis, result: Result) -> str:
    """Return what tells a table from others: its workload, where there are several, and track."""
    names = {other.workload.name for other in analysis.results}
    parts = [visible(result.workload.name)] if len(names) > 1 else []
    return ": ".join([*parts, *filter(None, [track_title(result)])])


def _under(answer: Answer) -> Iterator[str]:
    """Yield what stands under a headline; the next step is last, with its command below it."""
    yield answer.number
    yield from answer.caveats
    if answer.audit:
        yield answer.audit
    yield from answer.facts
    if answer.protocol:
        yield answer.protocol
    if answer.next is not None:
        yield f"Next: {answer.next.what}{':' if answer.next.command else ''}"


def _lines(console: Console, headline: str, lines: list[str]) -> None:
    print_sentence(console, visible_lines(headline), style="bold")
    for line in lines:
        print_sentence(console, visible_lines(line), _INDENT)


def _rich(table: Table) -> RichTable:
    shown = RichTable(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in table.columns:
        numeric = column in table.numeric
        # Names of settings are told apart by their ends, so they are not cut.
        name = column == table.columns[0] and column == "Optimizer"
        shown.add_column(
            Text(visible(column).replace(" to ", " to\n")),
            justify="right" if numeric else "left",
            no_wrap=numeric or name,
            overflow="ellipsis" if numeric or name else "fold",
        )
    for row in table.rows:
        shown.add_row(*(Text(visible(cell)) for cell in row))
    return shown
