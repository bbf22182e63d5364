"""What is done about a finished run whose files are not as it has written them."""

import os
from collections.abc import Callable
from pathlib import Path

from sgdlab.errors import InputError
from sgdlab.results import RUN_FILES, Cell, damage_in, read_summary
from sgdlab.results.packed import is_there

_OURS = ("config.yaml", "steps.csv", "manifest.json")


def whole_summary(directory: Path, say: Callable[[str], None]) -> dict[str, Cell] | None:
    """Return the summary of a run; None when it has not ended, or its summary is damaged.

    Args:
        directory: The run directory.
        say: Receives a line where it is damaged.

    Raises:
        InputError: It is no summary of sgdlab: nothing beside it is of a run.
    """
    try:
        return read_summary(directory)
    except InputError as damage:
        if not any(is_there(str(directory / name)) for name in _OURS):
            raise
        if in_the_way(directory) is None:  # else whoever begins the run is refused by name
            say(f"{damage}: made anew")
        return None


def is_whole(directory: Path, say: Callable[[str], None]) -> bool:
    """Say whether the files of a run that has ended are as it has written them.

    All of them are read, which takes a small part of the time that the run took. What the run was
    made from is no result: a damaged ``environment.json`` is told, and the run counts.

    Args:
        directory: The run directory.
        say: Receives a line where a file is damaged.
    """
    damages = damage_in(directory)
    if (lost := damages.pop("environment.json", None)) is not None:
        say(f"{lost}: what the run was made from is not known; its results stay")
    if damages and in_the_way(directory) is None:
        say(f"{'; '.join(damages.values())}: made anew")
    return not damages


def in_the_way(directory: Path) -> str | None:
    """Return what stands where a run writes its files and is none; None where nothing does."""
    if os.path.lexists(directory) and not directory.is_dir():
        return f"{directory}: not a folder, where a run writes its files; move it away"
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.name in RUN_FILES and not entry.is_file():
                    what = "a folder" if entry.is_dir() else "no file"
                    return f"{entry.path}: {what}, where a run writes a file; move it away"
    except FileNotFoundError:
        pass
    return None
