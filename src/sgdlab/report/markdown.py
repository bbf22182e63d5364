"""Writes a document as Markdown that code hosts render."""

import re

from sgdlab.report.document import (
    MARKS,
    Block,
    Code,
    Command,
    Document,
    Fold,
    Gallery,
    Notes,
    Table,
    Text,
)
from sgdlab.visible import visible, visible_lines

_MARKS = re.compile(r"([\\`*\[\]|#~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def escape(content: str) -> str:
    """Return text that renders as itself, in a paragraph or in the cell of a table."""
    content = visible(" ".join(content.split()))
    content = _MARKS.sub(r"\\\1", content).translate(_HTML)
    # Only at the start of a line would these make a list or a rule of it.
    return re.sub(r"^(\d+)([.)])(?=\s)|^([-+=])", _at_start, content)


def _at_start(match: re.Match[str]) -> str:
    return f"{match[1]}\\{match[2]}" if match[1] else f"\\{match[3]}"


def render(document: Document) -> str:
    """Return the page; its figures are files in the folder ``figures`` beside it."""
    parts = [f"# {escape(document.title)}", escape(document.subtitle)]
    for section in document.sections:
        parts.append(f"{'#' * section.level} {escape(section.title)}")
        blocks = [_block(block) for block in section.blocks]
        parts += _folded("Show", blocks) if section.folded else blocks
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    match block:
        case Text(content, role):
            text = escape(content)
            return f"**{text}**" if role in ("lead", "second") else text
        case Notes(items):
            return "\n".join(f"- {escape(item)}" for item in items)
        case Table():
            return _table(block)
        case Gallery(charts):
            return "\n\n".join(
                f"![{escape(chart.title)}](figures/{chart.name}.svg)\n\n*{escape(chart.caption)}*"
                for chart in charts
            )
        case Command(what, line):
            return f"{escape(what)}:\n\n{_fenced('sh', line)}"
        case Code(name, content):
            return f"{escape(name)}:\n\n{_fenced('python', content.rstrip())}"
        case Fold(summary, blocks):
            return "\n\n".join(_folded(summary, [_block(block) for block in blocks]))


def _folded(summary: str, blocks: list[str]) -> list[str]:
    return [f"<details><summary>{escape(summary)}</summary>", *blocks, "</details>"]


def _fenced(language: str, content: str) -> str:
    content = visible_lines(content)
    longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{content}\n{fence}"


def _table(table: Table) -> str:
    def cell(column: str, content: str) -> str:
        mark = f"{MARKS.get(content, '?')} " if column == table.status else ""
        return f"{mark}{escape(content)}"

    rule = ["---:" if column in table.numeric else "---" for column in table.columns]
    rows = [list(map(cell, table.columns, row)) for row in table.rows]
    lines = [f"| {' | '.join(cells)} |" for cells in (map(escape, table.columns), rule, *rows)]
    caption = f"*{escape(table.caption)}*\n\n" if table.caption else ""
    return caption + "\n".join(lines)
