"""Results go to standard output and all else to standard error, whatever the command is."""

import os
import subprocess
import sys

import pytest
from cli_runs import QUICK, Cli

STUDY = (*QUICK, "max_steps=3", "study=s", "lr=0.1,0.2")


def test_results_go_to_stdout_and_all_else_to_stderr(sgdlab: Cli):
    run = sgdlab("train", *QUICK, "max_steps=3", "hydra.run.dir=run")
    assert run.out.startswith("status")
    assert run.err.startswith("step 1/3")
    again = sgdlab("train", *QUICK, "max_steps=3", "hydra.run.dir=run")
    assert again.out.startswith("status")
    assert again.err.startswith("sgdlab: note: ")
    sweep = sgdlab("train", "-m", *STUDY)
    assert sweep.out.startswith("#")
    assert "sweep 2/2" in sweep.err
    for arguments, first in (
        (("report", "runs/s"), "Steps to"),
        (("diagnose", "run"), "run"),
        (("list", "scaling"), "scaling"),
        (("train", "--cfg", "job"), "dataset:"),
        (("train", "--help"), "sgdlab trains"),
        (("--version",), "sgdlab "),
        (("lr-find", *QUICK, "range.steps=20"), ""),
    ):
        result = sgdlab(*arguments)
        assert result.code == 0
        assert first in result.out.splitlines()[0] or arguments[0] == "report", result.out
        assert result.out
        assert not [
            line for line in result.err.splitlines() if not line.startswith("sgdlab: note: ")
        ], result.err
        assert "sgdlab: note: " not in result.out


PTY = """
import os, pty, sys
os.environ |= {own!r}
def read(fd):
    return os.read(fd, 65536)
sys.exit(os.waitstatus_to_exitcode(pty.spawn([sys.executable, "-m", "sgdlab", *{command!r}], read)))
"""


@pytest.mark.parametrize(
    ("own", "codes"),
    [
        pytest.param({"TERM": "dumb"}, False, marks=pytest.mark.slow),
        ({"NO_COLOR": "1", "TERM": "xterm"}, False),
        ({"TERM": "xterm"}, True),
    ],
)
def test_on_a_terminal_codes_are_written_only_where_they_are_taken(tmp_path, own, codes):
    command = ["train", *QUICK, "max_steps=3", "hydra.run.dir=run"]
    program = PTY.format(own=own | {"COLUMNS": "80"}, command=command)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "completed" in done.stdout
    assert ("\x1b[" in done.stdout) == codes
    assert ("step 3/3" in done.stdout) != codes


def test_unbuffered_lines_are_there_as_they_are_written():
    # What ends so writes nothing that waits in a buffer.
    program = (
        "import os, sys; from sgdlab import startup\n"
        "with startup.streams():\n"
        "    print('a result'); print('a note', file=sys.stderr); os._exit(0)\n"
    )
    own = os.environ | {"PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=own, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("a result\n", "a note\n")
