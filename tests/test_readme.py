"""Every command in the README runs as it is written there."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", README, re.S)
    for line in block.splitlines()
    if line.strip()
]
# Set-up belongs to the scripts' own test; everything else is run below.
SETUP = ["scripts/demo.sh", "scripts/test.sh", "pip install --constraint constraints.txt ."]
# Each takes the seconds of an import of torch, and some much more; CI runs them all.
QUICK = ["sgdlab train", "sgdlab list optimizer", "sgdlab lr-find optimizer=adamw"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that the README shows, where its commands run in order."""
    folder = tmp_path_factory.mktemp("readme")
    for language in ("python", "yaml"):
        for block in re.findall(rf"```{language}\n(.*?)```", README, re.S):
            path = folder / block.splitlines()[0].removeprefix("# ")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block)
    return folder


def test_the_readme_has_commands_of_every_kind() -> None:
    assert {*SETUP, *QUICK, "sgdlab compare"} < set(COMMANDS)
    assert {shlex.split(c)[1] for c in COMMANDS if c.startswith("sgdlab")} >= {
        "train", "compare", "report", "list", "verify", "lr-find", "diagnose",
    }  # fmt: skip


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, marks=() if command in QUICK else pytest.mark.slow)
        for command in COMMANDS
        if command not in SETUP
    ],
)
def test_command_of_the_readme(command: str, folder: Path) -> None:
    words = shlex.split(command)
    assert words[0] == "sgdlab"
    done = subprocess.run(
        [sys.executable, "-m", "sgdlab", *words[1:]],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_own_parts_fit_in_fifteen_lines() -> None:
    section = README.split("## Your model, your data")[1].split("## ")[0]
    blocks = re.findall(r"```(?:python|yaml)\n(.*?)```", section, re.S)
    code = [line for b in blocks for line in b.splitlines() if line and not line.startswith("#")]
    assert len(code) <= 15
