"""``sgdlab diagnose RUN…``: names the symptoms of finished runs, their causes, what to do first."""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from sgdlab.config.parser import Parser
from sgdlab.diagnosis import Diagnosis, RunRecord, judge
from sgdlab.diagnosis.reading import folders_at, read_runs, siblings_of
from sgdlab.diagnosis.show import report
from sgdlab.errors import InputError, reason_of, refuse_typed
from sgdlab.results import atomic_write, shows
from sgdlab.visible import HIDDEN, visible

_BEGIN, _NONE = b'[\n  {\n    "run": ', b"[]\n"
"""How a file of findings begins."""


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
    folders, problems = folders_at(options.runs)
    runs, damages = read_runs(folders)
    found: list[tuple[RunRecord, Diagnosis]] = []
    for run, siblings in zip(runs, siblings_of(runs), strict=True):
        try:
            found.append((run, judge(run, siblings)))
        except Exception as error:  # its files are anyone's, and the other runs go on
            damages.append(f"{run.directory}: cannot be judged: {reason_of(error)}")
    if options.json is not None:
        content = json.dumps([_as_dict(*row) for row in found], indent=2, ensure_ascii=False)
        content = "\n".join(HIDDEN.sub(_as_json, line) for line in content.split("\n")) + "\n"
        _write(options.json, content)
    if options.json != Path("-") and found:
        colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        print(report(found, not options.no_plots, colours))
    damages = list(dict.fromkeys([*problems, *damages]))
    for damage in damages:
        print(f"sgdlab: {visible(damage)}", file=sys.stderr)
    return 2 if damages else 0


def _as_dict(run: RunRecord, diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "run": run.directory.as_posix(),
        "status": run.status,
        "healthy": not diagnosis.alarms,
        "findings": [finding.as_dict() for finding in diagnosis.findings],
        "unchecked": dict(diagnosis.unchecked),
    }


def _as_json(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def _write(path: Path, content: str) -> None:
    if path == Path("-"):
        print(content, end="")
        return
    real = path.resolve()  # a link of this name was meant by whoever typed it
    try:
        if real.is_file() and real.stat().st_size > len(_NONE) and not shows(real, [_BEGIN]):
            raise InputError(
                f"--json {path}: not sgdlab's findings, so it is not replaced; choose another name"
            )
        atomic_write(real, content, durable=False)
    except OSError as error:
        refuse_typed(error, f"--json {path}")
        raise
