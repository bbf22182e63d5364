"""``sgdlab pack STUDY``: the runs of a large study in a few Parquet files."""

import sys
from collections.abc import Callable
from pathlib import Path

from sgdlab.commands.lock_option import add_lock
from sgdlab.config.parser import Parser
from sgdlab.errors import InputError
from sgdlab.results.lock import held
from sgdlab.results.pack import Moved, pack
from sgdlab.terminal.notices import warn
from sgdlab.visible import visible

_SHOWN = 10


def parser(command: str, description: str) -> Parser:
    """Return the parser of the command line of ``pack`` and ``unpack``."""
    parser = Parser(command, description=description)
    parser.add_argument("study", metavar="STUDY", type=Path, help="folder of a study")
    add_lock(parser, "study")
    return parser


def moved(
    typed: Parser, argv: list[str], move: Callable[[Path, Callable[[int], None]], Moved]
) -> tuple[Path, Moved]:
    """Move the runs of the study that is typed; return it, and what was moved.

    Raises:
        InputError: There is no study, or somebody writes into it.
    """
    options = typed.parse_args(argv)
    study: Path = options.study
    if study.is_symlink() or not study.is_dir():
        what = "a link" if study.is_symlink() else "not a folder" if study.exists() else (
            "no such folder")  # fmt: skip
        raise InputError(f"{study}: {what}; name the folder of a study")

    def tell(count: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{typed.prog}: {count:,} runs", end="\n", file=sys.stderr)

    with held(study, options.lock, warn, otherwise="--lock wait waits for it"):
        return study, move(study, tell)


def main(argv: list[str]) -> int:
    """Pack the runs that have ended and say what was done.

    Returns:
        0; runs that stay as they are are named.

    Raises:
        InputError: There is no study, or somebody writes into it.
    """
    typed = parser(
        "pack",
        "Pack the runs of a study into Parquet files, which report, diagnose and sweeps read as "
        "they read folders. Runs that have not ended stay as they are.",
    )
    study, packed = moved(typed, argv, pack)
    for line in packed.left[:_SHOWN]:
        warn(f"left as it is: {visible(line)}")
    if len(packed.left) > _SHOWN:
        warn(f"left as they are: {len(packed.left) - _SHOWN:,} more runs")
    print(f"{visible(str(study))}: {packed.runs:,} runs of {packed.before:,} bytes packed in "
          f"{packed.after:,}; sgdlab unpack gives them back")  # fmt: skip
    return 0
