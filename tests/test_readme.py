"""Every command in the README and in docs runs as it is written there.

Blocks of ``bash`` are run, in the order of their page, in the words that bash makes of them; what
cannot be typed as it stands is ``sh``.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import Cli

from page_commands import blocks, commands, words

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}


def typed_at(page: str) -> list[str]:
    return [command for block in blocks(PAGES[page], "bash") for command in commands(block)]


COMMANDS = typed_at("README.md")
# Set-up belongs to the scripts' own test; everything else is run below.
SETUP = ["scripts/demo.sh", "scripts/test.sh"]
# Each takes the seconds of an import of torch, and some much more; CI runs them all.
QUICK = ["sgdlab train", "sgdlab list optimizer"]
NEEDS = {"pack": "pyarrow", "unpack": "pyarrow"}
"""The packages of extras, by command."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a folder for each page, with the files that it shows; its commands run there."""
    made = {page: tmp_path_factory.mktemp("page") for page in PAGES}
    for page, text in PAGES.items():
        for name, block in re.findall(r"```(?:python|yaml)\n# (my/\S+)\n(.*?)```", text, re.S):
            path = made[page] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block)
    return made


def test_the_readme_has_commands_of_every_kind() -> None:
    assert {*SETUP, *QUICK, "sgdlab compare"} < set(COMMANDS)
    assert {c.split()[1] for c in COMMANDS if c.startswith("sgdlab")} >= {
        "train", "compare", "report", "list", "verify", "lr-find", "diagnose",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("page", "command"),
    [
        pytest.param("README.md", command, marks=() if command in QUICK else pytest.mark.slow)
        for command in COMMANDS
        if command not in SETUP
    ]
    + [
        pytest.param(page, command, marks=pytest.mark.slow)
        for page in PAGES
        for command in typed_at(page)
        if page != "README.md"
    ],
)
def test_command_of_a_page(page: str, command: str, folders: dict[str, Path]) -> None:
    split = words(command)
    if needed := NEEDS.get(split[1]):
        pytest.importorskip(needed)
    code, out, err = typed(split, folders[page], page == "README.md")
    assert code == 0, err
    assert out.strip()


def typed(split: list[str], folder: Path, is_first_read: bool) -> tuple[int, str, str]:
    """Run a command: those of the README in processes of their own, as people do.

    Those of other pages run in this one, where torch is there already.
    """
    if split[0] == "sgdlab" and not is_first_read:
        result = Cli(folder)(*split[1:])
        return result.code, result.out, result.err
    if split[0] == "sgdlab":
        start = ["-m", "sgdlab"]
    else:  # a script of the checkout
        assert split[0] == "python"
        start = [str(ROOT / split.pop(1))]
    done = subprocess.run(
        [sys.executable, *start, *split[1:]],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_own_parts_fit_in_fifteen_lines() -> None:
    section = README.split("## Your model, your data")[1].split("## ")[0]
    blocks = re.findall(r"```(?:python|yaml)\n(.*?)```", section, re.S)
    code = [line for b in blocks for line in b.splitlines() if line and not line.startswith("#")]
    assert len(code) <= 15
