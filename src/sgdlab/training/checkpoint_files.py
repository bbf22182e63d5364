"""The checkpoints of a run on disk: two, verified before one is gone on from."""

import contextlib
import errno
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch

from sgdlab.config.instantiate import is_out_of_memory
from sgdlab.errors import InputError, one_line
from sgdlab.results import FileSum, atomic_write_by, damage_before
from sgdlab.terminal.display import shown
from sgdlab.terminal.notices import warn

CHECKPOINT = "checkpoint.pt"
PREVIOUS = "checkpoint.previous.pt"

_TABLES = "tables"
"""Where a checkpoint keeps the sums of the tables that it belongs to."""


class CheckpointFiles:
    """The newest checkpoint of a run and the one before, for when the newest is damaged.

    Args:
        directory: The run directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.newest, self.previous = directory / CHECKPOINT, directory / PREVIOUS
        self._is_whole = False

    def save(self, state: Mapping[str, Any], tables: Mapping[str, FileSum]) -> None:
        """Write a checkpoint atomically, and keep the one that was the newest.

        Args:
            state: Tensors and plain values.
            tables: The sums of the run's tables, whose rows are on disk.
        """

        def keep() -> None:
            if self._is_whole:  # one that is damaged would take the place of a good one
                with contextlib.suppress(FileNotFoundError):
                    self.newest.replace(self.previous)

        known = {name: list(sum_) for name, sum_ in tables.items()}
        write_tensors(self.newest, {**state, _TABLES: known}, before=keep)
        self._is_whole = True

    def load(self, fits: Callable[[Mapping[str, Any]], bool]) -> dict[str, Any] | None:
        """Return the newest checkpoint that is whole, with its rows, and say what is damaged.

        Args:
            fits: Whether a checkpoint is one that the run can go on from.

        Returns:
            The checkpoint; None when there is none to go on from.

        Raises:
            OSError: One is there and cannot be read now: it may be good.
        """
        wrong: list[str] = []
        for path in (self.newest, self.previous):
            try:
                state = read_tensors(path)
            except InputError as error:
                wrong.append(str(error))
                continue
            if state is None:
                continue
            if not fits(state):
                break  # as the one before would not
            if (damage := _damage_of_rows(self._directory, state)) is not None:
                wrong.append(os.path.join(shown(self._directory), damage))
                continue
            if wrong:
                step = state["progress"]["step"]
                _say(wrong, f"the run goes on from step {step} of {path.name}")
            self._is_whole = path == self.newest
            return state
        if wrong:
            _say(wrong, "the run starts again")
        return None

    def remove(self) -> None:
        """Remove both checkpoints, of which a run that starts at its first step has no use."""
        self.remove_previous()
        self.newest.unlink(missing_ok=True)
        self._is_whole = False

    def remove_previous(self) -> None:
        """Remove the older one, once a run has ended."""
        self.previous.unlink(missing_ok=True)


def tables_of(state: Mapping[str, Any] | None) -> dict[str, FileSum] | None:
    """Return the sums of the tables that a checkpoint knows; None of older ones."""
    known = None if state is None else state.get(_TABLES)
    return None if known is None else {name: FileSum(*own) for name, own in known.items()}


def write_tensors(
    path: Path, content: Mapping[str, Any], before: Callable[[], None] = lambda: None
) -> None:
    """Write tensors and plain values to a file, atomically.

    Args:
        path: The file.
        content: What it holds.
        before: Called once all is on disk, before it takes the place of what was there.
    """
    atomic_write_by(lambda file: torch.save(dict(content), file), path, before=before)


def read_tensors(path: Path) -> dict[str, Any] | None:
    """Return what `write_tensors` has written; None where there is no file.

    PyTorch writes a CRC-32 of every record, which costs nothing here, and does not look at it
    when it loads.

    Raises:
        InputError: The file is damaged.
        OSError: It cannot be read.
    """
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
        if bad is not None:
            raise InputError(f"checksum of {bad.partition('/')[2]}")
        found: object = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        elsewhere = isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)
        if elsewhere or is_out_of_memory(error):
            raise
        what = one_line(error)[:100]
        raise InputError(f"{shown(path)} is damaged ({what})") from error
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _damage_of_rows(directory: Path, state: Mapping[str, Any]) -> str | None:
    known = tables_of(state)
    if known is not None:
        return damage_before(directory, known)
    # An older one: it knows the number of its rows.
    table, step = directory / "steps.csv", state["progress"]["step"]
    rows = table.read_bytes().split(b"\n")[1:] if table.is_file() else []
    steps = [row.split(b",", 1)[0] for row in rows[:step]]
    if steps != [str(number + 1).encode() for number in range(step)] or len(rows) <= step:
        return f"{table.name} is damaged (a row for each of {step:,} steps expected)"
    return None


def _say(wrong: list[str], then: str) -> None:
    warn(f"{'; '.join(dict.fromkeys(wrong))}: {then}")
