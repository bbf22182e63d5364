"""The HTML file of a report: one file that needs nothing else and asks for nothing."""

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from markupsafe import Markup, escape

from sgdlab.report.charts.data import data
from sgdlab.report.charts.style import Look
from sgdlab.report.document import MARKS, Document, Section
from sgdlab.report.templates import filled

_SCRIPTS = ("charts.js", "figures.js", "keys.js", "page.js")

LINKED = 16
"""Sections that the navigation names at most."""


def render(document: Document, looks: Mapping[str, Look]) -> str:
    """Return the page; its script and the plotting library are allowed by their hashes alone.

    The library is packed: the page unpacks it (DecompressionStream) before it draws.
    """
    charts = {chart.name: data(chart, looks) for chart in document.charts()}
    code = _library() if charts else ""
    script = _script()
    parts = _named(document.sections)
    return filled(
        "page.html.j2",
        text,
        document=document,
        parts=parts,
        links=_links(parts),
        marks=MARKS,
        style=Markup(_file("page.css")),
        charts=Markup(inert(charts)) if charts else "",
        library=Markup(_packed(code)) if code else "",
        script=Markup(script),
        hashes=[_hash(each) for each in (script, code) if each],
    )


def text(content: str) -> str:
    """Escape text for HTML, and keep a number and its percent sign on one line."""
    return re.sub(r"(\d) %", "\\1\u00a0%", escape(content))


def _named(sections: Sequence[Section]) -> list[tuple[str, str, Section]]:
    """Return every section after a name that no other has, and its kind."""
    names: list[str] = []
    kinds = [
        re.sub(r"[^a-z]+", "-", section.title.lower()).strip("-")[:40] or "section"
        for section in sections
    ]
    for kind in kinds:
        name = kind
        while name in names:
            name = f"{kind}-{len(names)}"
        names.append(name)
    return list(zip(names, kinds, sections, strict=True))


def _links(parts: Sequence[tuple[str, str, Section]]) -> list[tuple[str, str]]:
    """Return name and title of the sections of the navigation: the first ones and the last."""
    links = [(name, section.title) for name, _, section in parts[1:] if section.level == 2]
    return links if len(links) <= LINKED else [*links[: LINKED - 1], links[-1]]


def inert(content: Any) -> str:
    """Return JSON that no HTML or script parser takes for anything else."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _script() -> str:
    code = "\n".join(_file(name) for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{code}\n}})();\n'


def _library() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


def _packed(code: str) -> str:
    return base64.b64encode(gzip.compress(code.encode(), 9, mtime=0)).decode()


def _file(name: str) -> str:
    return files("sgdlab.report").joinpath("web", name).read_text(encoding="utf-8")


def _hash(code: str) -> str:
    digest = hashlib.sha256(code.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
