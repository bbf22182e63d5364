"""A full disk, a limit, a closed output: one line with path and reason, 1, and a retry succeeds."""

import contextlib
import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from cli_runs import QUICK, Cli, summary

from sgdlab.errors import UnwritableError, in_one_line, said_of, writing
from sgdlab.results import RunWriter, atomic_write, atomic_write_by


@contextlib.contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let this process write no file beyond a size, as a quota or a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkey = pytest.MonkeyPatch()
    monkey.setattr(sys, "dont_write_bytecode", True)  # CPython would keep what is cut off
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        monkey.undo()
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def told(err: str) -> list[str]:
    """Return the lines on stderr that are neither progress nor notes."""
    lines = [line for line in err.splitlines() if line.strip()]
    return [line for line in lines if line.startswith("sgdlab: ") and "note:" not in line]


COMMANDS = {
    "run": ("train", *QUICK, "max_steps=2", "hydra.run.dir=out"),
    "lr-find": ("lr-find", *QUICK, "hydra.run.dir=out"),
    "verify": ("verify", "rows=[1]", "hydra.run.dir=out"),
    "schedules": ("list", "schedule", "--plot", "out.svg"),
    "picture": ("list", "schedule", "--plot", "out.png"),
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_limit_is_told_in_one_line_and_a_retry_succeeds(sgdlab: Cli, command: tuple):
    with files_up_to(100):
        result = sgdlab(*command)
    assert result.code == 1
    (line,) = told(result.err)
    assert "out" in line
    assert "File too large" in line
    assert "Traceback" not in result.err
    assert not list(sgdlab.folder.rglob(".*.part"))
    again = sgdlab(*command)
    assert again.code == 0, again.err


def test_every_run_of_a_sweep_says_which_file_does_not_fit(sgdlab: Cli):
    command = ("train", "-m", *QUICK, "max_steps=2", "seed=0,1", "hydra.sweep.dir=out")
    with files_up_to(600):  # room for the locks
        result = sgdlab(*command)
    assert result.code == 1
    assert result.out.count("File too large:") == 2
    assert result.out.count("/config.yaml") == 2
    assert "Traceback" not in result.err
    assert not list(sgdlab.folder.rglob(".*.part"))
    assert sgdlab(*command).code == 0


def test_a_report_and_a_diagnosis_name_the_file(sgdlab: Cli):
    sgdlab.train("study/one", "max_steps=2")
    for command in (("report", "study", "--out", "out"), ("diagnose", "study", "--json", "out.js")):
        with files_up_to(10):
            result = sgdlab(*command)
        assert result.code == 1
        assert len(told(result.err)) == 1
        assert "out" in result.err
        assert "File too large" in result.err
        assert not list(sgdlab.folder.rglob(".*.part"))


@pytest.mark.parametrize("engine", ["sequential", pytest.param("stacked", marks=pytest.mark.slow)])
def test_a_run_that_fills_the_disk_says_which_file_and_goes_on(sgdlab: Cli, engine: str):
    run = ("train", "-m", *QUICK, "epochs=150", "checkpoint.every=10", f"engine={engine}",
           "seed=0,1", "hydra.sweep.dir=out")  # fmt: skip
    with files_up_to(8000):
        assert sgdlab(*run).code == 1
    folders = list((sgdlab.folder / "out").glob("r*/"))
    reasons = [summary(folder)["reason"] for folder in folders]
    assert reasons
    assert all("steps.csv" in r or "checkpoint.pt" in r for r in reasons), reasons
    assert all("File too large" in reason for reason in reasons)
    assert not list(sgdlab.folder.rglob(".*.part"))
    again = sgdlab(*run)
    assert again.code == 0, again.err


def test_what_torch_saves_names_its_file(tmp_path: Path):
    path = tmp_path / "weights.pt"
    path.write_bytes(b"old")
    with files_up_to(1000), pytest.raises(UnwritableError, match=r"weights\.pt"):
        atomic_write_by(lambda file: torch.save({"x": torch.zeros(9999)}, file), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_rows_that_do_not_fit_name_their_table_and_leave_no_file_open(tmp_path: Path):
    writer = RunWriter(tmp_path, "accuracy")
    with files_up_to(200):
        writer.steps([[1.0] * 7] * 100)
        with pytest.raises(UnwritableError, match=r"steps\.csv"):
            writer.close()
    assert writer._steps.closed
    assert writer._evals.closed


def test_a_device_is_written_to_and_stays(tmp_path: Path):
    with pytest.raises(UnwritableError, match="/dev/full"):
        atomic_write(Path("/dev/full"), "text", durable=False)
    assert Path("/dev/full").is_char_device()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    atomic_write(pipe, "text", durable=False)
    assert os.read(reading, 9) == b"text"
    assert pipe.is_fifo()
    os.close(reading)


def test_an_error_of_anything_else_stays_what_it_is(tmp_path: Path):
    part = tmp_path / "part"
    part.write_text("half")
    with pytest.raises(KeyError), writing(tmp_path / "whole", part):
        raise KeyError("a")
    assert not part.exists()


def test_a_path_that_was_typed_wrong_is_bad_input_and_a_full_disk_is_not():
    assert said_of(NotADirectoryError(errno.ENOTDIR, "Not a directory", "a/b")) == (
        "a/b: Not a directory", 2)  # fmt: skip
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EMFILE):
        assert said_of(OSError(number, "no", "a"))[1] == 1


def test_a_line_shows_what_would_act_on_the_terminal():
    assert in_one_line("a\nb\x1b[31m\u202ec\udce9é") == "a\\nb\\x1b[31m\\u202ec\\xe9é"
    assert len(in_one_line("x" * 10**6)) < 2100


@pytest.mark.parametrize("command", ["--version", "list optimizer", "--help"])
@pytest.mark.parametrize(
    ("output", "reason"),
    [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")],
)  # fmt: skip
def test_an_output_that_takes_nothing_is_told(command: str, output: str, reason: str):
    program = f"(sleep 0.2; exec {sys.executable} -m sgdlab {command} 2>&3)"
    shell = f"{program} {output}; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", f"exec 3>&2; {shell}"], capture_output=True, text=True)
    assert ended.stdout == "1\n"
    assert ended.stderr == f"sgdlab: standard output: {reason}\n"


@pytest.mark.parametrize("command", ["--version", "list", "--help", "train --help"])
@pytest.mark.parametrize("reader", ["true", "head -1"])
def test_a_reader_that_has_had_enough_ends_nothing(command: str, reader: str):
    program = f"(sleep 0.1; exec {sys.executable} -m sgdlab {command} 2>&3)"
    shell = f"exec 3>&2; {program} | {reader} >/dev/null; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("0\n", "")


@pytest.mark.slow
def test_a_run_whose_output_nobody_reads_is_complete(tmp_path: Path):
    program = f"{sys.executable} -m sgdlab train {' '.join(QUICK)} max_steps=3 hydra.run.dir=run"
    shell = f"{program} 2>messages | true; echo ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, cwd=tmp_path)
    assert (ended.stdout, ended.stderr) == ("0\n", "")
    assert "pipe" not in (tmp_path / "messages").read_text().lower()
    assert {"summary.csv", "manifest.json"} <= {path.name for path in (tmp_path / "run").iterdir()}


def test_closed_or_full_messages_change_nothing():
    for messages in ("2>&-", "2>/dev/full"):
        shell = f"{sys.executable} -m sgdlab --version {messages}; echo $?"
        ended = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
        assert ended.stdout.endswith("\n0\n")
        shell = f"{sys.executable} -m sgdlab nosuch {messages}; echo $?"
        ended = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
        assert ended.stdout == "2\n"
