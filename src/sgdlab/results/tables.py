"""Reads ``steps.csv`` and ``evals.csv``: one file exactly, or thousands quickly."""

import io
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from sgdlab.errors import InputError
from sgdlab.results.cells import TEXTS, Columns, count, doubtful, refuse_misread, refuse_size
from sgdlab.results.texts import table_contents

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 2**22
"""Bytes of files that are parsed at once."""


def read_table(path: Path, columns: tuple[str, ...]) -> "pd.DataFrame":
    """Return one table, integers as integers.

    Args:
        path: The file.
        columns: The columns with which it has to begin.

    Raises:
        InputError: The file is missing or damaged; names the file and the line.
    """
    return _parse(path, _read(path, partial=False), columns)


def read_tables(
    paths: Sequence[str], columns: tuple[str, ...], partial: Sequence[bool]
) -> Iterator[tuple[int, Columns | InputError]]:
    """Yield the position of each file, in order, and its columns, or what is wrong with it.

    Numbers are float64; an empty cell is NaN. Files of equal header are parsed together, a chunk
    at a time, so that memory does not grow with their number.
    """
    chunk: dict[int, bytes] = {}
    found: dict[int, Columns | InputError] = {}
    size = 0
    for position, path in enumerate(paths):
        try:
            content = _read(path, partial[position])
        except InputError as error:
            found[position] = error
        else:
            chunk[position] = content
            size += len(content)
        if size >= CHUNK or position == len(paths) - 1:
            found |= _chunk(paths, chunk, columns)
            yield from sorted(found.items(), key=lambda item: item[0])
            chunk, found, size = {}, {}, 0


def _read(path: Path | str, partial: bool) -> bytes:
    try:
        content = table_contents(path)
    except FileNotFoundError:
        raise InputError(f"{path}: missing") from None
    if partial:
        content = content[: content.rfind(b"\n") + 1]
    refuse_size(path, content)
    return content


def _chunk(
    paths: Sequence[str], contents: dict[int, bytes], columns: tuple[str, ...]
) -> dict[int, Columns | InputError]:
    groups: dict[bytes, dict[int, bytes]] = {}
    found: dict[int, Columns | InputError] = {}
    for position, content in contents.items():
        header = content[: content.find(b"\n") + 1]
        if _begins(header, columns) and _plain(content, header):
            groups.setdefault(header, {})[position] = content
        else:
            found[position] = _alone(paths[position], content, columns)
    for header, group in groups.items():
        names = header.decode().rstrip("\n").split(",")
        found |= _together(paths, group, names, columns)
    return found


@lru_cache(maxsize=64)
def _begins(header: bytes, columns: tuple[str, ...]) -> bool:
    """Say whether a header has ``columns`` in front, and no column twice."""
    names = header[:-1].split(b",")
    known = names[: len(columns)] == [column.encode() for column in columns]
    return known and len(set(names)) == len(names) and header.isascii()


def _plain(content: bytes, header: bytes) -> bool:
    """Say whether cells are what stands between commas, in lines that have as many in the mean."""
    return (
        content.endswith(b"\n")
        and b'"' not in content
        and b"\r" not in content
        and count(content, b",") == header.count(b",") * count(content, b"\n")
    )


def _together(
    paths: Sequence[str], group: dict[int, bytes], names: list[str], columns: tuple[str, ...]
) -> dict[int, Columns | InputError]:
    """Parse files of one header at once; where that fails, halves, to find those to blame."""
    import polars as pl  # only here: most commands read few tables or none

    # Lines that are too long are an error of the parser; with as many commas as there have to be
    # in the whole file, there is none too short then, either.
    bodies = [content[content.index(b"\n") + 1 :] for content in group.values()]
    rows = [count(body, b"\n") for body in bodies]
    kinds = {name: pl.String if name in TEXTS else pl.Float64 for name in names}
    try:
        table = pl.read_csv(b"".join(bodies), has_header=False, schema=kinds)
        if table.height != sum(rows):
            raise pl.exceptions.ShapeError("lines without a cell")
    except pl.exceptions.PolarsError:
        if len(group) > 1:
            items = list(group.items())
            half = len(items) // 2
            first = _together(paths, dict(items[:half]), names, columns)
            return first | _together(paths, dict(items[half:]), names, columns)
        ((position, content),) = group.items()
        return {position: _alone(paths[position], content, columns)}
    arrays: Columns = {
        name: _texts(table[name].to_list()) if name in TEXTS else table[name].to_numpy()
        for name in names
    }
    ends = np.cumsum(rows).tolist()
    doubts = doubtful(arrays)
    found: dict[int, Columns | InputError] = {}
    for position, end, length in zip(group, ends, rows, strict=True):
        if doubts is not None and doubts[end - length : end].any():
            found[position] = _alone(paths[position], group[position], columns)
        else:
            found[position] = {name: array[end - length : end] for name, array in arrays.items()}
    return found


def _texts(cells: list[str | None]) -> NDArray[Any]:
    """Return text as an array in which equal cells are one object."""
    one = {cell: cell for cell in set(cells)}
    return np.array([one[cell] for cell in cells], dtype=object)


def _alone(path: str, content: bytes, columns: tuple[str, ...]) -> Columns | InputError:
    try:
        table = _parse(path, content, columns)
    except InputError as error:
        return error
    return {
        str(name): table[name].to_numpy(dtype=object if name in TEXTS else float)
        for name in table.columns
    }


def _parse(path: Path | str, content: bytes, columns: tuple[str, ...]) -> "pd.DataFrame":
    import pandas as pd  # as above

    end = content.find(b"\n") if b"\n" in content else len(content)
    header = content[:end].decode().split(",")
    if header[: len(columns)] != list(columns):
        raise InputError(f"{path}, line 1: expected the columns {','.join(columns)}")
    # pandas pads short rows without a word, so damage is looked for before parsing.
    commas = len(header) - 1
    number = 0
    for number, line in enumerate(io.BytesIO(content), start=1):
        if line.count(b",") != commas and line.endswith(b"\n"):
            raise InputError(f"{path}, line {number}: truncated ({len(header)} cells expected)")
    if not content.endswith(b"\n"):
        raise InputError(f"{path}, line {number}: truncated (no line end)")
    # Exact floats: an option of old, the only way of new pandas (which warns of the option).
    old = tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1)
    exact: dict[str, Any] = {"float_precision": "round_trip"} if old else {}
    try:
        table = cast("pd.DataFrame", pd.read_csv(io.BytesIO(content), **exact))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not text; not a table of sgdlab") from error
    for column in table.columns.difference(list(TEXTS)):
        numbers = pd.to_numeric(table[column], errors="coerce")
        bad = numbers.isna() & table[column].notna()
        if bad.any():
            line = int(bad.to_numpy().argmax()) + 2
            raise InputError(f"{path}, line {line}: {column} is not a number")
        refuse_misread(path, content, header.index(str(column)), str(column), numbers.to_numpy())
        table[column] = numbers
    return table
