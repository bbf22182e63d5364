"""Reads the tables of a run while they grow, and names their numbers for trackers."""

import csv
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sgdlab.results import EVAL_COLUMNS, STEP_COLUMNS

Row = tuple[int, dict[str, float]]
"""A step, and numbers by name."""

MOST_BYTES = 1 << 20
"""Read at a time, so that a long table is sent in parts, each with a sign of life."""


class FilePosition:
    """How far a file was read: the bytes, and a hash of them, by which another file is told."""

    def __init__(self) -> None:
        self.bytes = 0
        self._sum: Any = hashlib.sha256()

    def add(self, content: bytes) -> None:
        """Count bytes that were read."""
        self.bytes += len(content)
        self._sum.update(content)

    def text(self) -> str:
        """Return the position as it is kept: ``BYTES-HASH``."""
        return f"{self.bytes}-{self._sum.hexdigest()[:16]}"

    @classmethod
    def at(cls, text: str, path: Path) -> "FilePosition | None":
        """Return the position that was kept, if the file still begins with those bytes."""
        size, _, _ = text.partition("-")
        if not size.isdigit():
            return None
        found = cls()
        try:
            with path.open("rb") as file:
                while found.bytes < int(size) and (
                    part := file.read(min(MOST_BYTES, int(size) - found.bytes))
                ):
                    found.add(part)
        except OSError:
            return None
        return found if found.text() == text else None


class GrowingTable:
    """A CSV file that grows; only whole lines are read.

    Args:
        path: The file.
        position: Where to begin.
    """

    def __init__(self, path: Path, position: FilePosition) -> None:
        self.path, self.position = path, position
        self._columns: list[str] = []
        self._file = -1
        """The inode: another one is a file that was written anew."""

    def is_another(self) -> bool:
        """Say whether the file was replaced, or has become shorter than what was read."""
        try:
            state = os.stat(self.path)
        except OSError:
            return self.position.bytes > 0
        if self._file < 0:
            self._file = state.st_ino
        return state.st_ino != self._file or state.st_size < self.position.bytes

    def rows(self) -> list[dict[str, str]]:
        """Return rows that were not read before, at most `MOST_BYTES` of them."""
        try:
            with self.path.open("rb") as file:
                if not self._columns:
                    self._columns = next(csv.reader([file.readline().decode()]), [])
                file.seek(self.position.bytes)
                content = file.read(MOST_BYTES)
        except (OSError, UnicodeDecodeError):
            return []
        whole = content[: content.rfind(b"\n") + 1]
        is_head = not self.position.bytes
        self.position.add(whole)
        lines = csv.reader(whole.decode(errors="replace").splitlines())
        found = [dict(zip(self._columns, cells, strict=False)) for cells in lines]
        return found[1:] if is_head else found


def step_row(row: dict[str, str]) -> Row | None:
    """Return the numbers of a row of ``steps.csv``: ``step/loss``, …, ``epoch``, ``examples``."""
    if not (row.get("step") or "").isdigit():
        return None
    plain = STEP_COLUMNS[1:3]
    named = ((c if c in plain else f"step/{c}", v) for c, v in row.items() if c != "step")
    return int(row["step"]), dict(_numbers(named))


def eval_row(row: dict[str, str]) -> Row | None:
    """Return the numbers of a row of ``evals.csv``: ``val/loss``, ``val/accuracy``, ….

    What averaged weights gave is ``val_average/loss``; training's time is ``train_seconds``.
    """
    if not (row.get("step") or "").isdigit() or not row.get("split"):
        return None
    average = "" if row.get("weights") == "raw" else f"_{row.get('weights')}"
    before = f"{row['split']}{average}/"
    own = [("train_seconds", row.get("train_seconds", ""))]
    own += [(before + c, v) for c, v in row.items() if c not in EVAL_COLUMNS[:6]]
    return int(row["step"]), dict(_numbers(own))


def _numbers(cells: Sequence[tuple[str, str]] | Iterator[tuple[str, str]]) -> Iterator[Any]:
    for name, cell in cells:
        try:
            yield name, float(cell)
        except (TypeError, ValueError):  # not measured, or a word
            continue


def merged(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of both tables by step, those of one step as one."""
    found: dict[int, dict[str, float]] = {}
    for step, values in rows:
        found.setdefault(step, {}).update(values)
    return sorted(found.items())
