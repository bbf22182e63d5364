"""``sgdlab diagnose RUN…``: names the symptoms of finished runs, their causes, what to do first."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from sgdlab.config.parser import Parser
from sgdlab.diagnosis import Diagnosis, RunRecord, judge
from sgdlab.diagnosis.reading import folders_at, read_runs, siblings_of
from sgdlab.diagnosis.show import report
from sgdlab.errors import InputError
from sgdlab.results import atomic_write


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
    runs, damages = read_runs(folders_at(options.runs))
    found = [(run, judge(run, siblings_of(run, runs))) for run in runs]
    if options.json is not None:
        content = json.dumps([_as_dict(*row) for row in found], indent=2, ensure_ascii=False) + "\n"
        _write(options.json, content)
    if options.json != Path("-") and found:
        colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        print(report(found, not options.no_plots, colours))
    for damage in damages:
        print(f"sgdlab: {damage}", file=sys.stderr)
    return 2 if damages else 0


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
