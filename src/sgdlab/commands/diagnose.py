"""``sgdlab diagnose RUN…``: names the symptoms of finished runs, their causes, what to do first."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sgdlab.config.parser import Parser
from sgdlab.diagnosis import Diagnosis, RunRecord, judge, read_run
from sgdlab.diagnosis.show import listing, table
from sgdlab.errors import InputError
from sgdlab.results import atomic_write, find_runs

ALL_SHOWN = 5
"""Runs up to which each is described in full; of more, those with alarms are."""


def parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(
        "diagnose",
        description="Read the files of runs and name what is wrong with them: the evidence, the "
        "likely cause, what to try first, and what would confirm it.",
    )
    parser.add_argument(
        "runs",
        metavar="RUN",
        nargs="+",
        type=Path,
        help="folder of a run, or of several: runs are found at any depth",
    )
    parser.add_argument(
        "--json",
        metavar="PATH",
        type=Path,
        help="write the findings to a file, too; - for the terminal, instead of the text",
    )
    parser.add_argument(
        "--no-plots", action="store_true", help="leave out the pictures of the evidence"
    )
    return parser


def main(argv: list[str]) -> int:
    """Print what the runs show.

    Returns:
        0, whatever was found, or 2 when a file was damaged; the other runs are read all the same.

    Raises:
        InputError: A folder is missing or holds no run.
    """
    options = parser().parse_args(argv)
    runs, damages = _read(_folders(options.runs))
    found = [(run, judge(run, _siblings(run, runs))) for run in runs]
    if options.json is not None:
        content = json.dumps([_as_dict(*row) for row in found], indent=2, ensure_ascii=False) + "\n"
        _write(options.json, content)
    if options.json != Path("-"):
        _print(found, plots=not options.no_plots)
    for damage in damages:
        print(f"sgdlab: {damage}", file=sys.stderr)
    return 2 if damages else 0


def _folders(asked: Sequence[Path]) -> list[Path]:
    """Return the runs at or below the folders that were typed.

    Raises:
        InputError: A folder is missing, is a file, or holds no run.
    """
    for folder in asked:
        if folder.is_file():
            raise InputError(f"{folder}: a file; give the folder of the run, {folder.parent}")
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder")
        if not find_runs([folder]):
            raise InputError(
                f"{folder}: holds no run (a folder with config.yaml and steps.csv), at any depth"
            )
    return find_runs(asked)


def _read(folders: Sequence[Path]) -> tuple[list[RunRecord], list[str]]:
    runs: list[RunRecord] = []
    damages: list[str] = []
    for folder in folders:
        try:
            runs.append(read_run(folder))
        except InputError as error:
            damages.append(str(error))
    return runs, damages


def _siblings(run: RunRecord, read: Sequence[RunRecord]) -> list[RunRecord]:
    """Return the other runs on the command line, and those beside a run in its parent folder."""
    known = {other.directory.resolve(): other for other in read}
    own = run.directory.resolve()
    for folder in sorted(own.parent.iterdir()):
        if folder in known or not (folder / "config.yaml").is_file():
            continue
        try:
            known[folder] = read_run(folder)
        except InputError:  # nobody asked for it
            continue
    return [other for folder, other in known.items() if folder != own]


def _print(found: Sequence[tuple[RunRecord, Diagnosis]], plots: bool) -> None:
    colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    many = len(found) > ALL_SHOWN
    described = [row for row in found if row[1].alarms or not many]
    for number, (run, diagnosis) in enumerate(described):
        print(("\n" if number else "") + listing(run, diagnosis, plots and not many, colours))
    if len(found) > 1:
        print(("\n" if described else "") + table(found))


def _as_dict(run: RunRecord, diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "run": run.directory.as_posix(),
        "status": run.status,
        "healthy": not diagnosis.alarms,
        "findings": [finding.as_dict() for finding in diagnosis.findings],
        "unchecked": dict(diagnosis.unchecked),
    }


def _write(path: Path, content: str) -> None:
    if path == Path("-"):
        print(content, end="")
        return
    try:
        atomic_write(path, content, durable=False)
    except OSError as error:
        raise InputError(f"--json {path}: {error.strerror}") from error
