"""Build the site of the documentation: docs, README, and a reference from YAML and docstrings.

    python scripts/build_site.py              # site/index.html; needs sgdlab and the extra docs
    python -m http.server -d site             # its search works where it is served
    python scripts/build_site.py --pages      # the Markdown alone, in build/docs
    python scripts/build_site.py --url URL    # for a host: where the site will be found

Links are checked: one that leads nowhere is an error. Neither the build nor the pages load anything
from a network. Without an address (``--url``, or SGDLAB_SITE_URL) all links are relative, so that
the site works in any folder and from a disk; there is then no sitemap, which lists addresses.
"""

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from site_pages import CSS, linked, pictured, titles_of

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "build" / "docs"
SITE = ROOT / "site"
ROOT_PAGES = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
INSTALL = (
    "in the clone .venv/bin/pip install '.[docs]', then .venv/bin/python scripts/build_site.py"
)

try:
    import yaml

    from site_reference import pages
except ModuleNotFoundError as error:
    print(f"sgdlab: needs {error.name}: {INSTALL}", file=sys.stderr)
    raise SystemExit(2) from None


def write_pages() -> None:
    """Put together what the site is built from."""
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(ROOT / "docs", PAGES, ignore=shutil.ignore_patterns("*.csv"))
    for name in ("README.md", *ROOT_PAGES):
        text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
        target = "index.md" if name == "README.md" else name
        (PAGES / target).write_text(text, encoding="utf-8")
    titles = titles_of(_settings()["nav"], PAGES)
    for path in PAGES.glob("*.md"):
        text = linked(path.read_text(encoding="utf-8"), PAGES, ROOT, titles)
        path.write_text(pictured(text, PAGES), encoding="utf-8")
    for name, text in pages().items():
        (PAGES / name).parent.mkdir(exist_ok=True)
        (PAGES / name).write_text(text, encoding="utf-8")
    (PAGES / "extra.css").write_text(CSS, encoding="utf-8")


def menu_of_all(url: str | None = None) -> dict[str, Any]:
    """Return the settings of MkDocs, with every page in the menu."""
    settings = _settings()
    named = set(re.findall(r"[\w/-]+\.md", str(settings["nav"])))
    for title, folder in (("Optimizers, models, …", "reference/"), ("Further", "")):
        found = sorted(f"{folder}{path.name}" for path in (PAGES / folder).glob("*.md"))
        if further := [page for page in found if page not in named]:
            settings["nav"].append({title: further})
    address = {"site_url": url.rstrip("/") + "/"} if url else {}
    return settings | address | {"docs_dir": str(PAGES), "site_dir": str(SITE)}


def _settings() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def without_address() -> None:
    """Make the page of a missing page relative, as all others are, and drop the empty sitemap."""
    page = SITE / "404.html"
    text = page.read_text(encoding="utf-8").replace('"base": "/"', '"base": "."')
    text = re.sub(r'(href="|src="|"search": ")/(?!/)', r"\1", text)
    page.write_text(text, encoding="utf-8")
    for file in SITE.glob("sitemap.xml*"):
        file.unlink()


def main() -> int:
    """Build; return the exit code of MkDocs, or 2 where it is missing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pages", action="store_true", help="the Markdown alone")
    parser.add_argument("--url", default=os.environ.get("SGDLAB_SITE_URL"), help="where it will be")
    options = parser.parse_args()
    if not options.pages and importlib.util.find_spec("material") is None:
        print(f"sgdlab: needs the extra docs: {INSTALL}", file=sys.stderr)
        return 2
    write_pages()
    if options.pages:
        print(PAGES)
        return 0
    config = ROOT / "build" / "mkdocs.yml"
    settings = yaml.safe_dump(menu_of_all(options.url), sort_keys=False, allow_unicode=True)
    config.write_text(settings, encoding="utf-8")
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config)]
    # Not --quiet: MkDocs would not count the warnings that --strict is about.
    done = subprocess.run(
        command, cwd=ROOT, env=quiet, check=False, stderr=subprocess.PIPE, text=True
    )
    if done.returncode == 0 and not options.url:
        without_address()
    print(done.stderr if done.returncode else SITE / "index.html")
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
