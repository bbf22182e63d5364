"""What the pages name is there: functions, files, links."""

import pkgutil
import re
import shlex
from pathlib import Path

import pytest

from page_commands import blocks, commands, in_sentences, unquoted, words

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


@EACH
def test_no_command_has_characters_that_a_shell_takes_for_itself(page: Path) -> None:
    """Bash expands braces, and zsh calls brackets that match no file an error."""
    text = page.read_text()
    typed = [command for block in blocks(text, "bash", "sh") for command in commands(block)]
    assert not [command for command in typed + in_sentences(text) if unquoted(command)]


@EACH
def test_bash_hands_each_command_on_as_it_is_written(page: Path) -> None:
    for block in blocks(page.read_text(), "bash"):
        for command in commands(block):
            assert words(command) == shlex.split(command)


@pytest.mark.parametrize("word", ["a=[b,c]", "a={b:c}", "a=*", "-x ~a.b", "'a=b' a={b,c}"])
def test_a_word_that_a_shell_would_change_is_found(word: str) -> None:
    assert unquoted(f"sgdlab train {word}")


def test_a_quoted_word_is_left_alone() -> None:
    assert not unquoted("""sgdlab train 'a=[b,c]' "b={c: 1}" c=2 '~d.e' f\\*""")


PLACES = (ROOT, ROOT / "src/sgdlab")


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_files_that_are_named_exist(page: str) -> None:
    text = (ROOT / page).read_text()
    for name in re.findall(r"`([\w/.]*/?[\w.]+\.(?:py|sh|md|toml))`", text):
        if "NAME" not in name and "/" in name:
            assert any((place / name).is_file() for place in PLACES), name
