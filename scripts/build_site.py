"""Build the site of the documentation: docs, README, and a reference from YAML and docstrings.

    python scripts/build_site.py              # site/index.html; needs the extra docs
    python -m http.server -d site             # its search works where it is served
    python scripts/build_site.py --pages      # the Markdown alone, in build/docs

Links are checked: one that leads nowhere is an error. Neither the build nor the pages load anything
from a network.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from site_reference import pages

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "build" / "docs"
ROOT_PAGES = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
CSS = """\
.md-typeset table:not([class]) { font-size: .68rem; }
.md-typeset img { background: #fff; max-width: 100%; }
.md-grid { max-width: 70rem; }
"""


def write_pages() -> None:
    """Put together what the site is built from."""
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(ROOT / "docs", PAGES, ignore=shutil.ignore_patterns("*.csv"))
    for name in ("README.md", *ROOT_PAGES):
        text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
        target = "index.md" if name == "README.md" else name
        (PAGES / target).write_text(text, encoding="utf-8")
    for path in PAGES.glob("*.md"):
        path.write_text(_linked(path.read_text(encoding="utf-8")), encoding="utf-8")
    for name, text in pages().items():
        (PAGES / name).parent.mkdir(exist_ok=True)
        (PAGES / name).write_text(text, encoding="utf-8")
    (PAGES / "extra.css").write_text(CSS, encoding="utf-8")


def menu_of_all() -> dict[str, Any]:
    """Return the settings of MkDocs, with every page in the menu."""
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    named = set(re.findall(r"[\w/-]+\.md", str(settings["nav"])))
    for title, folder in (("Members of groups", "reference/"), ("Further", "")):
        found = sorted(f"{folder}{path.name}" for path in (PAGES / folder).glob("*.md"))
        if further := [page for page in found if page not in named]:
            settings["nav"].append({title: further})
    return settings | {"docs_dir": str(PAGES), "site_dir": str(ROOT / "site")}


def _linked(text: str) -> str:
    """Return a page whose links stay in the site; of links to other files, the words stay."""

    def link(match: re.Match[str]) -> str:
        words, target = match.groups()
        if re.match(r"https?:|#|mailto:", target):
            return match[0]
        file, _, anchor = target.removeprefix("../").partition("#")
        file = {"README.md": "index.md"}.get(file, file)
        if not (PAGES / file).is_file() and (ROOT / file).is_file():
            return words
        return f"[{words}]({file}{'#' + anchor if anchor else ''})"

    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", link, text)


def main() -> int:
    """Build; return the exit code of MkDocs, or 2 where it is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pages", action="store_true", help="the Markdown alone")
    options = parser.parse_args()
    write_pages()
    if options.pages:
        print(PAGES)
        return 0
    if subprocess.run([sys.executable, "-c", "import material"], check=False).returncode:
        print("sgdlab: needs the extra docs: pip install '.[docs]'", file=sys.stderr)
        return 2
    config = ROOT / "build" / "mkdocs.yml"
    config.write_text(yaml.safe_dump(menu_of_all(), sort_keys=False), encoding="utf-8")
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config)]
    # Not --quiet: MkDocs would not count the warnings that --strict is about.
    done = subprocess.run(
        command, cwd=ROOT, env=quiet, check=False, stderr=subprocess.PIPE, text=True
    )
    print(done.stderr if done.returncode else ROOT / "site" / "index.html")
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
