"""Completion of the command line in the shells that people use."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sgdlab.cli import COMMANDS
from sgdlab.config.catalogue import members
from sgdlab.config.completion import completions, shell_completion
from sgdlab.errors import InputError


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sgdlab tr", ["train"]),
        ("sgdlab train optim", ["optimizer.", "optimizer="]),
        ("sgdlab train optimizer=adamw", ["optimizer=adamw"]),
        ("sgdlab train optimizer=lion optimizer.b", ["optimizer.betas="]),
        ("sgdlab train split.v", ["split.val=", "split.vary="]),
        ("sgdlab train zero_grad=", ["zero_grad=false", "zero_grad=true"]),
        ("sgdlab train -m optimizer=sgd,adamw", ["optimizer=sgd,adamw"]),
        ("sgdlab compare optimizers=[sgd,adamw", ["optimizers=[sgd,adamw"]),
        ("sgdlab compare search.hal", ["search.halving="]),
        ("sgdlab ablate ret", ["retune=false", "retune=true"]),
        ("sgdlab ablate optimizer=adamw", ["optimizer=adamw"]),
        ("sgdlab list sched", ["schedule"]),
        ("sgdlab list schedule cosine_", ["cosine_restarts"]),
        ("sgdlab train --config-d", ["--config-dir"]),
        ("sgdlab train 'optimizer=lio", []),
        ("sgdlab report ", []),
        ("sgdlab nosuch o", []),
    ],
)
def test_the_word_before_the_cursor_is_completed(line: str, expected: list[str]):
    assert completions(line, list(COMMANDS)) == expected


def test_every_member_can_be_completed_and_a_users_own(tmp_path: Path):
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "mine.yaml").write_text("_target_: a.B\nrho: 1\n")
    found = completions("sgdlab train optimizer=", list(COMMANDS))
    assert found == [f"optimizer={name}" for name in sorted(members("optimizer"))]
    line = f"sgdlab train --config-dir {tmp_path} optimizer="
    assert "optimizer=mine" in completions(line, list(COMMANDS))
    assert completions(f"{line}mine optimizer.", list(COMMANDS)) == ["optimizer.rho="]


def test_another_shell_is_refused():
    for asked in ("install=tcsh", "", "run=bash"):
        with pytest.raises(InputError, match="goes with install=bash, zsh or fish"):
            shell_completion("train", asked, COMMANDS)


BASH = r"""
eval "$(sgdlab train -sc install=bash)"
complete -p sgdlab
try() {
    COMP_LINE="$1" COMP_POINT=${#1} COMP_WORDS=(sgdlab)
    _sgdlab
    printf '<%s>' "${COMPREPLY[@]}"; echo
}
try "sgdlab train optimizer=adamw"; try "sgdlab train epo"
eval "$(sgdlab train -sc uninstall=bash)"
complete -p sgdlab 2> /dev/null || echo gone
"""
FISH = """
sgdlab train -sc install=fish | source
complete -C "sgdlab train optimizer=adamw"
complete -C "sgdlab train epo"
sgdlab train -sc uninstall=fish | source
functions -q __sgdlab_complete; or echo gone
"""
ZSH = """
eval "$(sgdlab train -sc install=zsh)"; print $_comps[sgdlab]
eval "$(sgdlab train -sc uninstall=zsh)"; print gone$_comps[sgdlab]
"""


@pytest.mark.parametrize(
    ("shell", "script", "expected"),
    [
        (["bash", "--norc", "-c"], BASH, ["<adamw >", "<epochs=>", "gone"]),
        (["fish", "--no-config", "-c"], FISH, ["optimizer=adamw", "epochs=", "gone"]),
        (["zsh", "-fc"], ZSH, ["_sgdlab", "gone"]),
    ],
)
def test_a_shell_that_has_read_the_script_completes(
    tmp_path: Path, shell: list[str], script: str, expected: list[str]
):
    if shutil.which(shell[0]) is None:
        pytest.skip(f"no {shell[0]}")
    command = tmp_path / "bin" / "sgdlab"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m sgdlab "$@"\n')
    command.chmod(0o755)
    path = os.pathsep.join([str(command.parent), os.environ["PATH"]])
    own = {"PATH": path, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*shell, script], env=os.environ | own, cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert [line for line in lines if not line.startswith("complete ")] == expected, done.stderr
