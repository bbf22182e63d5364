"""What the pages name is there: functions, files, links."""

import pkgutil
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
ROOMS = {path.stem for path in (ROOT / "src" / "sgdlab").iterdir()}
NAMED = [
    name
    for name in re.findall(r"`([a-z_]+(?:\.\w+)+)`", (ROOT / "docs/architecture.md").read_text())
    if name.split(".")[0] in ROOMS and not name.endswith((".csv", ".json", ".yaml", ".md", ".html"))
]
EACH = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)


def test_the_architecture_names_what_exists() -> None:
    assert len(NAMED) > 40
    for name in NAMED:
        pkgutil.resolve_name(f"sgdlab.{name}")


@EACH
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).is_file(), target


PLACES = (ROOT, ROOT / "src/sgdlab")


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_files_that_are_named_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    for name in re.findall(r"`([\w/.]*/?[\w.]+\.(?:py|sh|md|toml))`", text):
        if "NAME" not in name and "/" in name:
            assert any((place / name).is_file() for place in PLACES), name
