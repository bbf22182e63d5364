"""The pages of the site from those of the repository: links, titles of links, pictures, style."""

import re
import struct
from collections.abc import Mapping
from pathlib import Path

CSS = """\
.md-grid { max-width: 70rem; }
.md-typeset img { background: #fff; max-width: 100%; }
.md-typeset table:not([class]) { font-size: .68rem; background: none; }
.md-typeset table:not([class]) :is(th, td) { min-width: 0; padding: .6em .9em; }
/* A name in a cell stays whole: the table scrolls instead. */
.md-typeset table code { word-break: normal; overflow-wrap: normal; }
/* Comments of the reference are read, not copied: their lines wrap. */
.md-typeset .wrap pre > code { white-space: pre-wrap; overflow-wrap: anywhere; font-size: .78em; }
/* Its lines of 100 characters fit beside the two menus. */
@media screen and (min-width: 76em) { .md-typeset .wrap pre > code { font-size: .72em; } }
/* What scrolls has a shadow where it is cut, and none where it ends. */
.md-typeset .md-typeset__scrollwrap, .md-typeset .highlight:not(.wrap) pre > code {
  --ground: var(--md-default-bg-color);
  --shade: color-mix(in srgb, var(--md-default-fg-color) 45%, transparent);
  background:
    linear-gradient(to right, var(--ground) 40%, transparent) left / 3rem 100% no-repeat local,
    linear-gradient(to left, var(--ground) 40%, transparent) right / 3rem 100% no-repeat local,
    linear-gradient(to right, var(--shade), transparent) left / .7rem 100% no-repeat scroll,
    linear-gradient(to left, var(--shade), transparent) right / .7rem 100% no-repeat scroll,
    var(--ground);
}
.md-typeset .highlight:not(.wrap) pre > code { --ground: var(--md-code-bg-color); }
.md-typeset .picture {
  overflow-x: auto; width: fit-content; max-width: 100%;
  border: .05rem solid var(--md-default-fg-color--lightest);
}
.md-typeset .picture p { margin: 0; }
.md-typeset .picture + p { margin-top: 1em; }
.md-typeset .picture img { display: block; }
@media screen and (max-width: 44em) {
  .md-typeset .picture img { min-width: var(--least); }
  .md-typeset .picture.wide::after {
    content: "It scrolls sideways; a tap opens it."; position: sticky; left: 0;
    font-size: .6rem; color: var(--md-default-fg-color--light);
  }
}
"""

READABLE = 0.8
"""To which share of its width a picture may shrink."""

NARROW = 350
"""The pixels that a page of a telephone has for a picture."""

_PICTURE = re.compile(r"^!\[(.*)\]\((\S+\.(?:svg|png))\)$", re.M)
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
_FILE_NAME = re.compile(r"(?:docs/)?[\w-]+\.md")


def titles_of(nav: object, folder: Path) -> dict[str, str]:
    """Return a title for each page: that of the menu, else its first line."""
    titles = {
        path.name: path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        for path in folder.glob("*.md")
    }
    return titles | dict(_titled(nav))


def _titled(nav: object) -> list[tuple[str, str]]:
    if isinstance(nav, list):
        return [pair for entry in nav for pair in _titled(entry)]
    if isinstance(nav, dict):
        flat = [(page, title) for title, page in nav.items() if isinstance(page, str)]
        return flat + [pair for entry in nav.values() for pair in _titled(entry)]
    return []


def linked(text: str, folder: Path, root: Path, titles: Mapping[str, str]) -> str:
    """Return a page whose links stay in the site, by titles; of links to other files, the words."""

    def link(match: re.Match[str]) -> str:
        words, target = match.groups()
        if re.match(r"https?:|#|mailto:", target):
            return match[0]
        file, _, anchor = target.removeprefix("../").partition("#")
        file = {"README.md": "index.md"}.get(file, file)
        if not (folder / file).is_file() and (root / file).is_file():
            return words
        if _FILE_NAME.fullmatch(words):
            words = titles.get(file, words)
        return f"[{words}]({file}{'#' + anchor if anchor else ''})"

    return _LINK.sub(link, text)


def pictured(text: str, folder: Path) -> str:
    """Return a page whose pictures lead to their files, and scroll on a narrow screen."""

    def picture(match: re.Match[str]) -> str:
        words, file = match.groups()
        least = min(round(READABLE * width_of(folder / file)), 900)
        image = f'![{words}]({file}){{style="--least:{least}px"}}'
        kind = "picture wide" if least > NARROW else "picture"
        return f'<div class="{kind}" markdown>\n\n[{image}]({file})\n\n</div>'

    return _PICTURE.sub(picture, text)


def width_of(file: Path) -> float:
    """Return the width of a PNG, or of an SVG in points, in pixels of a screen."""
    if file.suffix == ".png":
        return float(struct.unpack(">I", file.read_bytes()[16:20])[0])
    found = re.search(r'<svg[^>]* width="([\d.]+)pt"', file.read_text(encoding="utf-8"))
    return float(found[1]) * 4 / 3 if found else 0.0
