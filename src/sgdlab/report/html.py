"""Writes a document as one HTML file that needs nothing else: no script, no network."""

import re
from html import escape
from importlib.resources import files

from sgdlab.report.document import (
    Block,
    Command,
    Document,
    Fold,
    Gallery,
    Image,
    Notes,
    Section,
    Table,
    Text,
)
from sgdlab.report.figures.style import COLOURS, INK, PAPER

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render(document: Document) -> str:
    """Return the page."""
    style = files("sgdlab.report").joinpath("page.css").read_text(encoding="utf-8")
    writer = _Writer()
    body = "\n".join(writer.section(section) for section in document.sections)
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_text(document.title)} · sgdlab</title>\n<style>\n{style}</style>\n</head>\n"
        f"<body>\n<main>\n<header>\n<h1>{_text(document.title)}</h1>\n"
        f'<p class="subtitle">{_text(document.subtitle)}</p>\n</header>\n'
        f"{body}\n</main>\n</body>\n</html>\n"
    )


def _text(content: str) -> str:
    """Escape, and keep a number and its percent sign on one line."""
    return re.sub(r"(\d) %", "\\1\u00a0%", escape(content))


class _Writer:
    """Numbers the figures, so that their ids are unique on the page."""

    def __init__(self) -> None:
        self.figures = 0

    def section(self, section: Section) -> str:
        heading = f"<h{section.level}>{_text(section.title)}</h{section.level}>"
        kind = re.sub(r"[^a-z]+", "-", section.title.lower()).strip("-")
        blocks = "\n".join(self.block(block) for block in section.blocks)
        return (
            f'<section class="level-{section.level} part-{kind}">\n{heading}\n{blocks}\n</section>'
        )

    def block(self, block: Block) -> str:
        match block:
            case Text(content, role):
                kind = f' class="{role}"' if role else ""
                return f"<p{kind}>{_text(content)}</p>"
            case Notes(items):
                return f"<ul>{''.join(f'<li>{_text(item)}</li>' for item in items)}</ul>"
            case Table():
                return _table(block)
            case Gallery(images):
                return f'<div class="gallery">{"".join(map(self.image, images))}</div>'
            case Command(what, line):
                return (
                    f'<p class="what">{_text(what)}</p>'
                    f'<pre tabindex="0"><code>{escape(line)}</code></pre>'
                )
            case Fold(summary, blocks):
                inner = "\n".join(self.block(inner) for inner in blocks)
                return f"<details><summary>{_text(summary)}</summary>\n{inner}</details>"

    def image(self, image: Image) -> str:
        self.figures += 1
        inline = inline_svg(image.svg, f"f{self.figures}-", image.caption)
        return f"<figure>{inline}<figcaption>{_text(image.caption)}</figcaption></figure>"


def inline_svg(svg: str, prefix: str, label: str) -> str:
    """Return an SVG file as part of a page: ids of its own, colours of the page's theme."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<title>.*?</title>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{prefix}', svg)
    svg = svg.replace("url(#", f"url(#{prefix}").replace('href="#', f'href="#{prefix}')
    head, rest = svg.split(">", 1)
    head = re.sub(r'\s(width|height|version|xmlns(:xlink)?)="[^"]*"', "", head)
    head += f' role="img" aria-label="{_text(label)}"'
    svg = f"{head}>{rest}".replace("xlink:href", "href")
    svg = svg.replace(INK, "currentColor").replace(PAPER, "none")
    for number, colour in enumerate(COLOURS):
        svg = svg.replace(colour, f"var(--c{number})")
    return re.sub(r"\n\s*", "\n", svg).strip()


def _table(table: Table) -> str:
    def cell(tag: str, column: str, content: str) -> str:
        kind = ' class="number"' if column in table.numeric else ""
        scope = ' scope="col"' if tag == "th" else ""
        return f"<{tag}{scope}{kind}>{_text(content)}</{tag}>"

    head = "".join(cell("th", column, column) for column in table.columns)
    rows = "".join(
        ('<tr class="strong">' if number in table.strong else "<tr>")
        + "".join(cell("td", c, content) for c, content in zip(table.columns, row, strict=True))
        + "</tr>\n"
        for number, row in enumerate(table.rows)
    )
    caption = f'<p class="caption">{_text(table.caption)}</p>' if table.caption else ""
    return (
        f'{caption}<div class="scroll" tabindex="0"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{rows}</tbody></table></div>"
    )
