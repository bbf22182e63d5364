"""Runs that were trained where the study's folder is not: packed there, written here."""

import pickle
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from sgdlab.errors import InputError
from sgdlab.results import ENDED, atomic_write_by, read_summary, refuse_foreign
from sgdlab.results.lock import HeldError, each_held
from sgdlab.training.checkpoint_files import CHECKPOINT

_LAST = ("manifest.json", "summary.csv")
"""What is written after all others: with the last of them a run has ended."""

_UNENDED = ("summary.csv", "manifest.json", "error.txt")


def taken(directory: Path) -> bytes:
    """Return the files of a run as bytes; a checkpoint only of one that has ended."""
    summary = read_summary(directory)
    ended = summary is not None and summary["status"] in ENDED
    found = {
        path.name: path.read_bytes()
        for path in sorted(directory.iterdir())
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
        and (ended or not path.name.startswith(Path(CHECKPOINT).stem))
    }  # fmt: skip
    return zlib.compress(pickle.dumps(found), 1)


def put(directory: Path, content: bytes) -> None:
    """Write the files of a run that a worker returned, the summary last.

    Raises:
        HeldError: Another process trains the run here; nothing was written.
        InputError: The folder holds something else.
    """
    with each_held([directory]) as others:
        if (holder := others.get(directory)) is not None:
            raise HeldError(f"{directory}: held by {holder}")
        refuse_foreign(directory)
        write_files(directory, content)


def write_files(directory: Path, content: bytes) -> None:
    """Write files that `taken` returned, the summary last."""
    files = cast("Mapping[str, bytes]", pickle.loads(zlib.decompress(content)))
    for name in _UNENDED:
        (directory / name).unlink(missing_ok=True)
    names = [name for name in files if name not in _LAST]
    for name in (*names, *(name for name in _LAST if name in files)):
        if Path(name).name != name:
            raise InputError(f"{directory / name}: no name of a run's file")
        data = files[name]
        atomic_write_by(lambda file, data=data: file.write(data), directory / name)
