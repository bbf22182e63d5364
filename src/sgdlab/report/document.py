"""What a page consists of; `sgdlab.report.markdown` and `sgdlab.report.html` write it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Text:
    """A paragraph. ``role`` is ``lead`` for an answer, ``note`` for small print, else empty."""

    content: str
    role: str = ""


@dataclass(frozen=True)
class Notes:
    """A list of short remarks."""

    items: list[str]


@dataclass(frozen=True)
class Table:
    """A table of text; ``numeric`` are the columns that align right."""

    columns: list[str]
    rows: list[list[str]]
    caption: str = ""
    numeric: frozenset[str] = frozenset()
    strong: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Image:
    """A figure: its file name without ending, the SVG, what it shows."""

    name: str
    svg: str
    caption: str


@dataclass(frozen=True)
class Gallery:
    """Figures side by side."""

    images: list[Image]


@dataclass(frozen=True)
class Command:
    """A line to copy, with what it does."""

    what: str
    line: str


@dataclass(frozen=True)
class Fold:
    """What is folded away until asked for."""

    summary: str
    blocks: list["Block"]


Block = Text | Notes | Table | Gallery | Command | Fold


@dataclass(frozen=True)
class Section:
    """A heading and what follows; ``level`` is 2 or 3."""

    title: str
    blocks: list[Block]
    level: int = 2


@dataclass(frozen=True)
class Document:
    """A page."""

    title: str
    subtitle: str
    sections: list[Section] = field(default_factory=list[Section])

    def images(self) -> list[Image]:
        """Return every figure, in order."""
        blocks = [block for section in self.sections for block in section.blocks]
        return [image for block in blocks if isinstance(block, Gallery) for image in block.images]
