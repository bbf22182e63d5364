"""Commands that are printed can be pasted into a shell, whatever folders and values are called."""

import re
import subprocess
from pathlib import Path

import pytest
from cli_runs import QUICK, Cli, Result, same_run, summary, write
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from sgdlab.diagnosis.command import _typed
from sgdlab.report.repeat import command
from sgdlab.terminal.display import typed

ODD = ["a b", "it's", "x=y", "[z],{q}", "$HOME & co", "#1", "-m", "ü 100%", 'say "so"']


def pasted(line: str) -> list[str]:
    """Return the words that a shell makes of a line."""
    made = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, text=True, check=True
    )
    return made.stdout.split("\0")[:-1]


def paste(cli: Cli, line: str, *more: str) -> Result:
    return cli(*pasted(line)[1:], *more)


def printed(result: Result, name: str) -> str:
    (line,) = re.findall(rf"sgdlab {name} .*", result.out)
    return line.rstrip()


@pytest.mark.parametrize("name", ODD)
def test_a_command_holds_its_folder_as_one_word(name: str):
    expected = f"./{name}" if name.startswith("-") else name
    assert pasted(typed("report", name)) == ["sgdlab", "report", expected]
    assert pasted(command(f"runs/{name}"))[3] == f"runs/{name}"


@pytest.mark.parametrize("name", ["a b", "it's", "x=y", "[z],{q}"])
def test_a_run_and_a_sweep_in_odd_folders_are_looked_at_by_what_they_print(sgdlab: Cli, name: str):
    quoted = name.replace("'", "\\'")
    run = sgdlab("train", *QUICK, "lr=100", "epochs=5", f"hydra.run.dir='runs/{quoted}'")
    assert run.code == 0, run.err
    assert paste(sgdlab, printed(run, "diagnose")).code == 0
    swept = sgdlab("train", "-m", *QUICK, "max_steps=1", "seed=0,1", f"study='{quoted}'")
    assert swept.code == 0, swept.err
    line = printed(swept, "report")
    assert (sgdlab.folder / pasted(line)[2] / "runs.csv").is_file()


def test_a_run_in_an_odd_folder_repeats_by_the_line_of_its_report(sgdlab: Cli):
    run = sgdlab.train("'runs/a [b], {c}=d'", "max_steps=3")
    run = sgdlab.folder / "runs/a [b], {c}=d"
    result = paste(sgdlab, command("runs/a [b], {c}=d"), "hydra.run.dir=again")
    assert result.code == 0, result.err
    assert same_run(run, sgdlab.folder / "again")


def test_lr_find_proposes_what_can_be_pasted(sgdlab: Cli, tmp_path: Path):
    parts = tmp_path / "my own"
    write(parts / "own_odd.py", "import torch\nclass Odd(torch.nn.Module):\n"
        "    def __init__(self, input_shape, num_outputs, note):\n"
        "        super().__init__()\n        self.note = note\n"
        "        self.inner = torch.nn.Linear(input_shape[0], num_outputs)\n"
        "    def forward(self, x):\n        return self.inner(x)\n")  # fmt: skip
    write(parts / "model/odd.yaml", "_target_: own_odd.Odd\nnote: ''\n")
    found = sgdlab("lr-find", "--config-dir", parts, "dataset=wine", "model=odd",
                   "model.note='it is [a] b=c'", "range.steps=20")  # fmt: skip
    assert found.code == 0, found.err
    line = printed(found, "train")
    again = paste(sgdlab, line, "max_steps=1", "schedule=constant", "hydra.run.dir=run")
    assert again.code == 0, again.err
    assert "note: it is [a] b=c" in (sgdlab.folder / "run/config.yaml").read_text()
    assert summary(sgdlab.folder / "run")["base_lr"] == pasted(line)[-1].partition("=")[2]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12))
def test_a_text_in_a_proposed_command_is_read_back_by_hydra(text: str):
    if text.startswith("[") or "${" in text:  # a list that was flattened; an interpolation
        return
    (override,) = OverridesParser.create().parse_overrides([f"key={_typed(text)}"])
    assert override.value() == text
