"""Finds run folders; one without its ``config.yaml``, or with another thing in it, is one, too."""

import csv
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from sgdlab.errors import InputError
from sgdlab.results.contract import STEP_COLUMNS, SUMMARY_COLUMNS, as_meant
from sgdlab.results.files import LARGE, contents
from sgdlab.results.packed import found as packed_run
from sgdlab.results.packed import packed_in
from sgdlab.results.packed_parts import PACKED, parts_in
from sgdlab.results.texts import table_contents

_CONFIG = "config.yaml"
_ENDS = frozenset(("steps.csv", "summary.csv"))
_FILES = _ENDS | {_CONFIG, "environment.json", "evals.csv", "manifest.json"}

_SET_ASIDE = "config.stale.yaml"
"""What a stale run has instead of a config until it is made anew: it counts nowhere."""

_HEADS = {"steps.csv": STEP_COLUMNS, "summary.csv": SUMMARY_COLUMNS}


def find_runs(roots: Iterable[Path]) -> list[Path]:
    """Return the run directories at or below ``roots``, sorted, each once.

    A run directory holds a ``steps.csv`` or ``summary.csv`` beside another file of a run; that it
    has no ``config.yaml`` is damage, and no reason to overlook it.
    """
    return [Path(folder) for folder in folders(roots)[0]]


def folders(roots: Iterable[Path]) -> tuple[list[str], list[str]]:
    """Return the run directories in the order of their parts, as paths are sorted.

    Returns:
        The run directories, and `folder_problems`.
    """
    found: set[str] = set()
    listings: list[str] = []
    problems: dict[str, None] = {}
    for root in roots:
        if packed_run(str(root)) is not None:
            found.add(str(root))
            continue
        # All folders first: a run that is packed meanwhile is found as one or as the other.
        for folder, names in list(_walk(str(root), problems)):
            if "runs.csv" in names:
                listings.append(folder)
            found |= _packed(folder, problems)
            if _is_run(folder, names):
                found.add(folder.removeprefix("./"))
                problems |= dict.fromkeys(_without_config(folder, names))
    for folder in listings:
        problems |= dict.fromkeys(_replaced(folder, found))
    return sorted(found, key=lambda folder: folder.split(os.sep)), list(problems)


def folder_problems(roots: Iterable[Path]) -> list[str]:
    """Return a line for each thing below ``roots`` that keeps a run from being found or whole.

    That is a folder that cannot be read, a config that is no file, and a folder that ``runs.csv``
    lists and that holds no run.
    """
    return folders(roots)[1]


def has_run(root: Path) -> bool:
    """Say whether there is a run directory at or below ``root``."""
    return packed_run(str(root)) is not None or any(
        _is_run(folder, names) or _packed(folder, {}) for folder, names in _walk(str(root), {})
    )


def _walk(root: str, problems: dict[str, None]) -> Iterator[tuple[str, dict[str, bool]]]:
    """Yield every folder below one with the names that matter, and whether each is a file.

    Links to folders are not followed.
    """
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        names: dict[str, bool] = {}
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False) and not _holds_parts(entry):
                        waiting.append(entry.path)
                    if entry.name in _FILES or entry.name in ("runs.csv", _SET_ASIDE):
                        names[entry.name] = entry.is_file(follow_symlinks=False)
        except FileNotFoundError as error:
            if folder == root:  # else it was packed meanwhile, or deleted
                problems[f"{folder}: {error.strerror}"] = None
            continue
        except OSError as error:
            problems[f"{folder}: {error.strerror}"] = None
            continue
        yield folder, names


def _holds_parts(entry: os.DirEntry[str]) -> bool:
    """Say whether a folder holds packed runs, in which others begin and end."""
    return entry.name == PACKED and bool(parts_in(entry.path))


def _is_run(folder: str, names: dict[str, bool]) -> bool:
    ours = names.keys() & _FILES
    if _SET_ASIDE in names and _CONFIG not in names:
        return False
    if len(ours) > 1:
        return not ours.isdisjoint(_ENDS) or ours >= {_CONFIG, "evals.csv"}
    return any(names[name] and _is_ours(folder, name) for name in ours & _ENDS)


def _is_ours(folder: str, name: str) -> bool:
    """Say whether a table that is alone in a folder begins as those of runs do."""
    head = ",".join(_HEADS[name][:4])
    try:
        return contents(os.path.join(folder, name), LARGE, len(head)) == head.encode()
    except (FileNotFoundError, InputError):
        return False


def _packed(folder: str, problems: dict[str, None]) -> set[str]:
    """Return the runs that lie packed in a folder and have none of their own."""
    try:
        packed = packed_in(folder)
    except InputError as error:
        problems[str(error)] = None
        return set()
    own = [] if packed is None else [os.path.join(folder, run) for run in packed.runs]
    return {run.removeprefix("./") for run in own if not os.path.lexists(run)}


def _without_config(folder: str, names: dict[str, bool]) -> Iterator[str]:
    """Yield what is wrong with the config, as far as that is seen without reading it."""
    path = os.path.join(folder, _CONFIG).removeprefix("./")
    if _CONFIG not in names:
        yield f"{path}: missing"
    elif not names[_CONFIG]:
        try:
            contents(path)
        except FileNotFoundError:
            yield f"{path}: missing"
        except InputError as error:
            yield str(error)


def _replaced(folder: str, found: set[str]) -> Iterator[str]:
    """Yield the runs that a study lists and in whose place lies another folder."""
    path = os.path.join(folder, "runs.csv")
    try:
        head, *lines = table_contents(path).decode().split("\n")
    except (FileNotFoundError, InputError):
        return
    if not head.startswith("directory,"):
        return
    for line in lines:
        name = next(csv.reader([line]), [""])[0] if line[:1] == '"' else line.partition(",")[0]
        name = as_meant(name)
        place = os.path.join(folder, name).removeprefix("./")
        inside = name and not os.path.isabs(name) and ".." not in name.split("/")
        if inside and place not in found and os.path.isdir(place) and not os.path.islink(place):
            yield f"{place}: no run in it, though {path} lists one"
