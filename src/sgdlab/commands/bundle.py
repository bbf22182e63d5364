"""``sgdlab bundle STUDY``: configs, environment, results and report in one archive."""

import contextlib
import os
import sys
from importlib.metadata import version
from pathlib import Path

from sgdlab.commands.lock_option import add_lock
from sgdlab.config.parser import Parser
from sgdlab.errors import InputError
from sgdlab.results.bundle import pack, refuse_no_bundle
from sgdlab.results.lock import held
from sgdlab.terminal.notices import warn
from sgdlab.visible import visible


def parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(
        "bundle",
        description="Pack a study into one archive: configs, environments, tables, report, and a "
        "hash of each. sgdlab report reads it.",
    )
    parser.add_argument("study", metavar="STUDY", type=Path, help="folder of a study")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="the archive (default: STUDY.zip beside it)"
    )
    parser.add_argument("--weights", action="store_true", help="checkpoints and saved weights, too")
    add_lock(parser, "study")
    return parser


def main(argv: list[str]) -> int:
    """Write the archive and say what is in it.

    Returns:
        0, or 2 when something was left out that is no file, which is named.

    Raises:
        InputError: There is no study, somebody writes into it, or the archive would replace
            something else.
    """
    options = parser().parse_args(argv)
    study: Path = options.study
    if not study.is_dir():
        what = "not a folder" if study.exists() else "no such folder"
        raise InputError(f"{study}: {what}; name the folder of a study")
    whole = study.resolve()
    out: Path = options.out or _beside(study, f"{whole.name}.zip")
    refuse_no_bundle(out)
    can_write = os.access(study, os.W_OK)  # else nobody can, as on a medium to read only
    lock = "--lock wait waits for it"
    with held(whole, options.lock, warn, otherwise=lock) if can_write else contextlib.nullcontext():
        packed = pack(study, out, version("sgdlab"), options.weights)
    for problem in packed.problems:
        print(visible(problem), file=sys.stderr)
    print(f"{visible(str(out))}: {packed.runs:,} runs, {packed.files:,} files of "
          f"{packed.bytes:,} bytes, {out.stat().st_size:,} bytes packed")  # fmt: skip
    return 2 if packed.problems else 0


def _beside(study: Path, name: str) -> Path:
    """Return a file beside the folder, as a person would type it."""
    typed = study.parent if study.name not in ("", "..") else study.resolve().parent
    return typed / name
