"""What a page consists of; `sgdlab.report.markdown` and `sgdlab.report.page` write it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sgdlab.report.charts.model import Chart

MARKS: Mapping[str, str] = {"pass": "✓", "warn": "!", "fail": "✗"}
"""What stands beside the word and the colour of a check."""


@dataclass(frozen=True)
class Text:
    """A paragraph.

    Attributes:
        content: What the paragraph says.
        role: ``lead`` for a headline, ``second`` for that of another track or workload, ``measure``
            for the line under it, ``note`` for small print, ``warn``, or empty.
    """

    content: str
    role: str = ""


@dataclass(frozen=True)
class Notes:
    """A list of short remarks."""

    items: list[str]


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        columns: The names of the columns, which are the heading.
        rows: The rows, each with a cell per column.
        caption: What the table shows.
        numeric: The columns that align right.
        strong: The numbers of the rows that stand out.
        status: The column whose cells are ``pass``, ``warn`` or ``fail``.
        wide: The columns of sentences, which may take several lines.
    """

    columns: list[str]
    rows: list[list[str]]
    caption: str = ""
    numeric: frozenset[str] = frozenset()
    strong: frozenset[int] = frozenset()
    status: str = ""
    wide: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Gallery:
    """Figures side by side."""

    charts: list[Chart]


@dataclass(frozen=True)
class Command:
    """A line to copy, with what it does."""

    what: str
    line: str


@dataclass(frozen=True)
class Code:
    """The content of a file to copy."""

    name: str
    content: str


@dataclass(frozen=True)
class Fold:
    """What is folded away until asked for."""

    summary: str
    blocks: list["Block"]


Block = Text | Notes | Table | Gallery | Command | Code | Fold


@dataclass(frozen=True)
class Section:
    """A heading and what follows.

    Attributes:
        title: The heading.
        blocks: What follows.
        level: The level of the heading, 2 or 3.
        apart: Whether it is about other runs than the sections around it.
        folded: Whether its blocks are folded away until asked for.
    """

    title: str
    blocks: list[Block]
    level: int = 2
    apart: bool = False
    folded: bool = False


@dataclass(frozen=True)
class Document:
    """A page: its title and sections."""

    title: str
    subtitle: str
    sections: list[Section] = field(default_factory=list[Section])

    def charts(self) -> list[Chart]:
        """Return every figure, in order."""
        blocks = [block for section in self.sections for block in section.blocks]
        return list(_charts(blocks))


def _charts(blocks: Sequence[Block]) -> Iterator[Chart]:
    for block in blocks:
        if isinstance(block, Gallery):
            yield from block.charts
        elif isinstance(block, Fold):
            yield from _charts(block.blocks)
