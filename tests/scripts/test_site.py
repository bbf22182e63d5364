"""The site of the documentation: its reference has everything, and its links lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from build_site import PAGES, ROOT, main, menu_of_all, write_pages
from sgdlab.cli import COMMANDS
from sgdlab.config.catalogue import groups, members
from site_reference import FILES, columns_of, pages


@pytest.fixture(scope="module")
def reference() -> dict[str, str]:
    return pages()


@pytest.mark.slow
def test_the_reference_has_every_key_of_a_run_with_its_comment(reference: dict[str, str]) -> None:
    text = (ROOT / "conf" / "train.yaml").read_text()
    assert text.strip() in reference["reference/keys.md"]


def test_the_reference_has_every_member_with_its_settings(reference: dict[str, str]) -> None:
    for group in groups():
        page = reference[f"reference/{group}.md"]
        for member in members(group):
            assert f"\n## {member}\n" in page
            text = (ROOT / "conf" / group / f"{member}.yaml").read_text().strip()
            assert text.splitlines()[-1] in page
    assert "Lion" in reference["reference/optimizer.md"]


def test_the_reference_has_the_columns_of_every_file(reference: dict[str, str]) -> None:
    page = reference["reference/columns.md"]
    assert len(re.findall(r"^## ", page, re.M)) == len(FILES)
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", page, re.M | re.S))
    for place, file in FILES.items():
        cells = [row.split(" | ") for row in sections[file].splitlines() if row.startswith("| `")]
        assert all(len(row) == 3 and len(row[1]) > 4 for row in cells), file
        named = [name for row in cells for name in re.findall(r"`(\w+)`", row[0])]
        assert sorted(named) == sorted(columns_of(place)), file


def test_the_reference_has_the_help_of_every_command(reference: dict[str, str]) -> None:
    for name in COMMANDS:
        section = (
            reference["reference/commands.md"].split(f"## sgdlab {name}\n")[1].split("\n## ")[0]
        )
        assert "usage" in section.lower() or "sgdlab" in section


def test_every_page_is_in_the_menu_and_every_entry_is_a_page() -> None:
    write_pages()
    named = set(re.findall(r"[\w/-]+\.md", str(menu_of_all()["nav"])))
    assert named == {path.relative_to(PAGES).as_posix() for path in PAGES.rglob("*.md")}


def test_links_have_titles_and_pictures_lead_to_their_files() -> None:
    for path in PAGES.glob("*.md"):
        text = path.read_text()
        assert not re.findall(r"\[(?:docs/)?[\w-]+\.md\]\(", text), path
        assert not re.findall(r"^!\[", text, re.M), path
    assert "[What a comparison tests](comparisons.md)" in (PAGES / "judge.md").read_text()
    assert "](report.png){style=" in (PAGES / "index.md").read_text()


def test_cells_of_tables_show_no_backslash() -> None:
    for path in PAGES.glob("*.md"):
        rows = [line for line in path.read_text().splitlines() if line.startswith("| ")]
        assert not [row for row in rows if "\\|" in row], path


def test_what_is_missing_is_named_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "sgdlab.py").write_text("import no_such_package")
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/build_site.py")],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no_such_package" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_the_site_is_built_and_loads_nothing_from_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("material")
    monkeypatch.setattr("sys.argv", ["build_site.py"])
    assert main() == 0, capfd.readouterr()
    for path in (ROOT / "site").rglob("*.html"):
        page = Path(path).read_text()
        assert not re.findall(r'<(?:script|img|iframe)[^>]+src="https?:', page), path
        assert not re.findall(r'<link[^>]+rel="stylesheet"[^>]+href="https?:', page), path
        assert not re.findall(r'(?:href|src)="/', page), path  # it works in any folder
    assert '<ol start="8">' in (ROOT / "site/architecture.html").read_text()
    assert not (ROOT / "site/sitemap.xml").exists()
