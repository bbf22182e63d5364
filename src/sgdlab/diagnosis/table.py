"""Reads a CSV file of a run into plain arrays, without a library of tables."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sgdlab.errors import InputError
from sgdlab.results import doubtful, refuse_misread, refuse_size, table_contents

Columns = dict[str, NDArray[Any]]


def read_numbers(path: Path, head: tuple[str, ...], partial: bool) -> Columns:
    """Return the columns of a table of numbers; an empty cell is NaN.

    Args:
        path: The file.
        head: Columns with which it has to begin.
        partial: A last line without its end is still being written, and left out.

    Raises:
        InputError: The file is missing or damaged; names the file and the line.
    """
    names, body = _parts(path, head, partial)
    if not body:
        return {name: np.empty(0) for name in names}
    # Twice, since a match ends with the comma that the next one begins with.
    filled = body.replace(",,", ",nan,").replace(",,", ",nan,").replace(",\n", ",nan\n")
    filled = f"\n{filled}".replace("\n,", "\nnan,")[1:]
    try:
        cells = np.loadtxt(io.StringIO(filled), delimiter=",", ndmin=2, comments=None)
    except ValueError as error:
        raise _damage(path, names, body, error) from error
    if cells.shape[1] != len(names) or len(cells) != body.count("\n"):
        raise _damage(path, names, body, None)
    found = dict(zip(names, cells.T, strict=True))
    _refuse_misread(path, names, body, found)
    return found


def read_mixed(path: Path, head: tuple[str, ...], texts: tuple[str, ...], partial: bool) -> Columns:
    """Return the columns of a table in which ``texts`` are text and all others numbers.

    Args:
        path: The file.
        head: Columns with which it has to begin.
        texts: Columns of text.
        partial: A last line without its end is still being written, and left out.

    Raises:
        InputError: The file is missing or damaged; names the file and the line.
    """
    names, body = _parts(path, head, partial)
    rows = [line.split(",") for line in body.splitlines()]
    if any(len(row) != len(names) for row in rows):
        raise _damage(path, names, body, None)
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    found: Columns = {}
    for name, cells in zip(names, columns, strict=True):
        if name in texts:
            found[name] = np.array(cells, dtype=object)
            continue
        try:
            found[name] = np.array([float(cell) if cell else np.nan for cell in cells])
        except ValueError as error:
            number = next(i for i, cell in enumerate(cells) if cell and not _is_number(cell))
            raise InputError(f"{path}, line {number + 2}: {name} is not a number") from error
    _refuse_misread(path, names, body, {n: found[n] for n in names if n not in texts})
    return found


def _parts(path: Path, head: tuple[str, ...], partial: bool) -> tuple[list[str], str]:
    """Return the columns' names, and all lines after them."""
    try:
        raw = table_contents(path)
    except FileNotFoundError:
        raise InputError(f"{path}: missing") from None
    refuse_size(path, raw)
    content = raw.decode().replace("\r\n", "\n")
    if partial:
        content = content[: content.rfind("\n") + 1]
    first, _, body = content.partition("\n")
    names = first.split(",")
    if tuple(names[: len(head)]) != head:
        raise InputError(f"{path}, line 1: expected the columns {','.join(head)}")
    if body and not body.endswith("\n"):
        raise InputError(f"{path}, line {body.count(chr(10)) + 2}: truncated (no line end)")
    return names, body


def _damage(path: Path, names: list[str], body: str, error: ValueError | None) -> InputError:
    """Return the error that names the first line that cannot be read."""
    for number, line in enumerate(body.splitlines(), start=2):
        cells = line.split(",")
        if len(cells) != len(names):
            return InputError(f"{path}, line {number}: truncated ({len(names)} cells expected)")
        for name, cell in zip(names, cells, strict=True):
            if cell and not _is_number(cell):
                return InputError(f"{path}, line {number}: {name} is not a number")
    return InputError(f"{path}: cannot be read" + (f" ({error})" if error else ""))


def _refuse_misread(path: Path, names: list[str], body: str, numbers: Columns) -> None:
    if doubtful(numbers) is None:
        return
    content = f"{','.join(names)}\n{body}".encode()
    for name, column in numbers.items():
        refuse_misread(path, content, names.index(name), name, column)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return not re.search(r"[_\s]", cell)
