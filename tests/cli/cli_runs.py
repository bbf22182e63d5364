"""Runs the command line in this process, and reads what it left."""

import contextlib
import csv
import io
import os
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
from hydra.core.global_hydra import GlobalHydra

from quick_reports import leave_undrawn
from sgdlab import cli
from sgdlab.results import TIME_AND_MEMORY

QUICK = ("dataset=wine", "model=linear", "schedule=constant")
"""A run of milliseconds: 178 examples, 108 of them for training, convex."""


@dataclass(frozen=True)
class Result:
    """What a person or a script sees of one command."""

    code: int
    out: str
    err: str


class Cli:
    """``sgdlab`` as typed in ``folder``; each call leaves this process as it was.

    Args:
        folder: Working directory; created.
        is_drawn: Whether reports have figures; else their files are empty.
        is_timed: Whether comparisons time their winners in a process of their own. Both take
            seconds, so that only those have them who look at them.
    """

    def __init__(self, folder: Path, *, is_drawn: bool = False, is_timed: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.is_drawn, self.is_timed = is_drawn, is_timed

    def __call__(self, *arguments: object) -> Result:
        out, err = io.StringIO(), io.StringIO()
        argv = ["sgdlab", *map(str, arguments)]
        modules = set(sys.modules)
        GlobalHydra.instance().clear()
        with (
            pytest.MonkeyPatch.context() as patch,
            mock.patch.dict(os.environ),
            mock.patch.object(sys, "argv", argv),
            mock.patch.object(sys, "path", sys.path.copy()),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            if not self.is_drawn and argv[1:2] in (["report"], ["compare"], ["ablate"]):
                leave_undrawn(patch)
            if not self.is_timed and argv[1:2] in (["compare"], ["ablate"]):
                patch.setattr("sgdlab.comparison.run.time_winners", lambda *_: [])
                patch.setattr("sgdlab.comparison.run.start_early", lambda *_: None)
            try:
                code = cli.main()
            except SystemExit as end:
                code = end.code
        for name in set(sys.modules) - modules:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(self.folder.parent)):
                del sys.modules[name]
        _end_workers()
        assert isinstance(code, int), f"exit code {code!r}"
        return Result(code, out.getvalue(), err.getvalue())

    def train(self, name: str, *arguments: object, parts: Path | None = None) -> Path:
        """Train a quick run into ``name``, with a ``--config-dir`` or without; it must complete."""
        own = ("--config-dir", parts) if parts else ()
        result = self("train", *own, *QUICK, f"hydra.run.dir={name}", *arguments)
        assert result.code == 0, result.err
        return self.folder / name


def _end_workers() -> None:
    """End the processes that joblib keeps for its next call, in the folder of this one."""
    reusable = sys.modules.get("joblib.externals.loky.reusable_executor")
    executor = getattr(reusable, "_executor", None)
    if executor is not None:
        executor.shutdown(wait=True, kill_workers=True)


def refused(cli: Cli, *arguments: str) -> str:
    """Run a command that must be refused without a trace; return its one line."""
    before = sorted(cli.folder.rglob("*"))
    result = cli(*arguments)
    assert result.code == 2, result
    assert result.out == ""
    assert result.err.startswith("sgdlab: ")
    assert result.err.endswith("\n")
    assert result.err.count("\n") == 1, result.err
    assert sorted(cli.folder.rglob("*")) == before
    return result.err


def write(path: Path, content: str) -> Path:
    """Write a file of the user's, dedented; folders come into being."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(content).lstrip("\n"))
    return path


def rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file as text, read without the product's reader."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def summary(run: Path) -> dict[str, str]:
    """Return the one row of ``summary.csv``."""
    (row,) = rows(run / "summary.csv")
    return row


def timeless(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file without what differs between executions."""
    return [{k: v for k, v in row.items() if k not in TIME_AND_MEMORY} for row in rows(path)]


def same_run(one: Path, other: Path, *but: str) -> bool:
    """Say whether two run folders hold the same run, byte for byte apart from time and memory.

    Args:
        one: A run folder.
        other: Another one.
        but: Columns of the summary that may differ.
    """
    labels = dict.fromkeys(but)
    return (
        (one / "steps.csv").read_bytes() == (other / "steps.csv").read_bytes()
        and timeless(one / "evals.csv") == timeless(other / "evals.csv")
        and timeless(one / "summary.csv")[0] | labels == timeless(other / "summary.csv")[0] | labels
    )
