"""The HTML file of a report: one file that needs nothing else and asks for nothing."""

import base64
import functools
import gzip
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, cast

from markupsafe import Markup, escape

from sgdlab.report.charts.data import data
from sgdlab.report.charts.style import Look
from sgdlab.report.document import MARKS, Document, Section
from sgdlab.report.templates import filled
from sgdlab.visible import visible, visible_lines

_SCRIPTS = ("charts.js", "figures.js", "keys.js", "reload.js", "page.js")

LINKED = 16
"""Sections that the navigation names at most."""


_RELOAD = (
    '<meta name="reload" content="{0:g}">'
    '<noscript><meta http-equiv="refresh" content="{0:g}"></noscript>\n'
)
_RELOADS = re.compile(re.escape(_RELOAD).replace(re.escape("{0:g}"), r"[\d.]+"))


def render(document: Document, looks: Mapping[str, Look], reload: float = 0.0) -> str:
    """Return the page; its script and the plotting library are allowed by their hashes alone.

    The library is packed: the page unpacks it (DecompressionStream) before it draws.

    Args:
        document: What it says.
        looks: How the lines of figures look.
        reload: The seconds after which it loads itself anew; 0: it stays as it is.
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
        reload=Markup(_RELOAD.format(reload)) if reload else "",
        style=Markup(_file("page.css")),
        charts=Markup(inert(_shown(charts))) if charts else "",
        library=Markup(_packed(code)) if code else "",
        script=Markup(script),
        hashes=[_hash(each) for each in (script, code) if each],
    )


def unwatched(page: str) -> str:
    """Return a page that no longer loads itself anew."""
    return _RELOADS.sub("", page, count=1)


def text(content: str) -> str:
    """Escape text for HTML, and keep a number and its percent sign on one line."""
    return re.sub(r"(\d) %", "\\1\u00a0%", escape(visible_lines(content)))


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


def _shown(content: Any) -> Any:
    """Return content with all text in it as it is to be seen."""
    if isinstance(content, str):
        return visible(content)
    if isinstance(content, dict):
        items = cast("dict[str, Any]", content).items()
        return {visible(key): _shown(value) for key, value in items}
    if isinstance(content, list):
        several = cast("list[Any]", content)
        # Most lists are long ones of numbers.
        return (
            list(map(_shown, several))
            if any(isinstance(i, str | list | dict) for i in several)
            else several
        )
    return content


def _script() -> str:
    code = "\n".join(_file(name) for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{code}\n}})();\n'


def _library() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


@functools.lru_cache(maxsize=1)  # half a second for the library, which is the same on every page
def _packed(code: str) -> str:
    return base64.b64encode(gzip.compress(code.encode(), 9, mtime=0)).decode()


def _file(name: str) -> str:
    return files("sgdlab.report").joinpath("web", name).read_text(encoding="utf-8")


def _hash(code: str) -> str:
    digest = hashlib.sha256(code.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
