"""What tables of runs may be: how large, and which numbers; the rest is named by file and line."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdlab.errors import InputError

TEXTS = ("weights", "split")
"""Columns of both tables that hold text."""

Columns = dict[str, NDArray[Any]]
"""A table by column."""

MOST_CELLS = 2**26
"""Cells of a table at most: half a gigabyte once they are numbers."""

_LONGEST_LINE = 2**16

WHOLE = ("step", "epoch", "examples")
"""Columns of both tables that hold whole numbers."""


def misread(cell: str, value: float, whole: bool = False) -> str | None:
    """Say what is wrong with a cell that reads as a number and was written by no run.

    Args:
        cell: The text of the cell.
        value: The number that it reads as.
        whole: Whether it must be a whole number.
    """
    if (whole or isinstance(value, int)) and abs(value) >= 2**63:
        return "beyond 64 bits"
    infinite = isinstance(value, float) and math.isinf(value) and "inf" not in cell.lower()
    return "beyond the range of numbers" if infinite else None


def refuse_size(path: Path | str, content: bytes) -> None:
    """Refuse a table with longer lines, more columns or more cells than any run has.

    Raises:
        InputError: It has; names the file.
    """
    # A piece without a line end is part of a line that is longer: a few searches, however large.
    for place in range(0, len(content) - _LONGEST_LINE, _LONGEST_LINE):
        if content.find(b"\n", place, place + _LONGEST_LINE) < 0:
            line = content.count(b"\n", 0, place) + 1
            raise InputError(f"{path}, line {line}: longer than {_LONGEST_LINE:,} characters")
    columns = content.count(b",", 0, content.find(b"\n") + 1) + 1
    # A cell takes a byte at least, so that most files need not be counted.
    if len(content) > MOST_CELLS and columns * count(content, b"\n") > MOST_CELLS:
        raise InputError(f"{path}: more than {MOST_CELLS:,} cells")


def count(content: bytes, character: bytes) -> int:
    """Return ``content.count(character)``, ten times as fast where there are many."""
    return int(np.count_nonzero(np.frombuffer(content, np.uint8) == character[0]))


def doubtful(arrays: Columns) -> NDArray[Any] | None:
    """Return which rows hold what may be a number that no run has written; None: no row."""
    marks = [
        np.abs(array) >= (2.0**63 if name in WHOLE else math.inf)
        for name, array in arrays.items()
        if name not in TEXTS
    ]
    marks = [mark for mark in marks if mark.any()]
    return np.logical_or.reduce(marks) if marks else None


def refuse_misread(
    path: Path | str, content: bytes, place: int, column: str, numbers: NDArray[Any]
) -> None:
    """Refuse numbers that no run has written, by what their cells say.

    Args:
        path: The file.
        content: All of it.
        place: The place of the column.
        column: Its name.
        numbers: What its cells read as.

    Raises:
        InputError: There is one; names the file and the line.
    """
    whole = column in WHOLE
    suspects = np.flatnonzero(np.abs(numbers.astype(float)) >= (2.0**63 if whole else math.inf))
    if not len(suspects):
        return
    lines = content.split(b"\n")
    for row in suspects:
        cell = lines[row + 1].split(b",")[place].decode()
        if wrong := misread(cell, float(numbers[row]), whole):
            raise InputError(f"{path}, line {row + 2}: {column} is {wrong}")
