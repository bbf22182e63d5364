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

from hydra.core.global_hydra import GlobalHydra

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
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def __call__(self, *arguments: object) -> Result:
        out, err = io.StringIO(), io.StringIO()
        argv = ["sgdlab", *map(str, arguments)]
        modules = set(sys.modules)
        GlobalHydra.instance().clear()
        with (
            mock.patch.dict(os.environ),
            mock.patch.object(sys, "argv", argv),
            mock.patch.object(sys, "path", sys.path.copy()),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                code = cli.main()
            except SystemExit as end:
                code = end.code
        for name in set(sys.modules) - modules:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(self.folder.parent)):
                del sys.modules[name]
        assert isinstance(code, int), f"exit code {code!r}"
        return Result(code, out.getvalue(), err.getvalue())

    def train(self, name: str, *arguments: object, parts: Path | None = None) -> Path:
        """Train a quick run into ``name``, with a ``--config-dir`` or without; it must complete."""
        own = ("--config-dir", parts) if parts else ()
        result = self("train", *own, *QUICK, f"hydra.run.dir={name}", *arguments)
        assert result.code == 0, result.err
        return self.folder / name


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
