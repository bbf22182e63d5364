"""Writes a part of packed runs: typed tables, all files, and a listing."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from sgdlab.results.packed import PackedStudy, Place
from sgdlab.results.packed_parts import (
    MARK,
    PARTS,
    TABLES,
    csv_text,
    file_of,
    listing_of,
    parquet,
)
from sgdlab.results.write import atomic_write, atomic_write_by

_GROUP = 64
"""Runs of a group of rows, which is read at once."""

Files = dict[str, bytes]
"""The files of a run by name."""


def names_of(part: int) -> list[str]:
    """Return the names of the files of a part, the listing first."""
    return [listing_of(part), *(file_of(part, kind) for kind in PARTS)]


def write_part(folder: Path, number: int, runs: Mapping[str, Files]) -> int:
    """Write a part, read it again, and list it; return its bytes."""
    folder.mkdir(exist_ok=True)
    names = list(runs)
    chunks = [names[at : at + _GROUP] for at in range(0, len(names), _GROUP)]
    listed: list[dict[str, Any]] = [{"runs": own} for own in chunks]
    tabled = {kind: _write_table(folder, number, kind, runs, chunks, listed) for kind in TABLES}
    _write_files(folder, number, runs, chunks, listed, tabled)
    study = PackedStudy(str(folder), {})
    study.runs.update(_places(number, listed))
    for run, files in runs.items():
        for name, content in files.items():
            if study.content(run, name) != content:
                raise AssertionError(f"{run}/{name} would not be unpacked as it was")
    text = MARK + json.dumps({"groups": listed})[1:] + "\n"
    atomic_write(folder / listing_of(number), text)
    sync(folder)
    return sum((folder / name).stat().st_size for name in names_of(number))


def _places(number: int, listed: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        run: Place(number, tuple(group[kind] for kind in PARTS))
        for group in listed
        for run in group["runs"]
    }


def _write_table(
    folder: Path,
    number: int,
    kind: str,
    runs: Mapping[str, Files],
    chunks: Sequence[Sequence[str]],
    listed: Sequence[dict[str, Any]],
) -> dict[str, str]:
    """Write the rows of one kind of table; return the first line of each run whose rows are in."""
    pa, pq = parquet()
    cells = {run: own for run in runs if (own := _cells(runs[run].get(f"{kind}.csv"))) is not None}
    columns = list(dict.fromkeys(column for own in cells.values() for column in own))
    types = {column: _type_of(pa, [own.get(column, []) for own in cells.values()])
             for column in columns}  # fmt: skip
    heads: dict[str, str] = {}
    schema = pa.schema([("run", pa.string()), *types.items()])

    def write(file: IO[bytes]) -> None:
        group = 0
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for own, listing in zip(chunks, listed, strict=True):
                tables = [t for run in own if (t := _typed(pa, schema, run, cells.get(run)))]
                for run, _ in tables:
                    heads[run] = ",".join(cells[run])
                whole = [table for _, table in tables if table.num_rows]
                listing[kind] = group if whole else None
                if whole:
                    writer.write_table(pa.concat_tables(whole), row_group_size=2**40)
                    group += 1

    atomic_write_by(write, folder / file_of(number, kind))
    return heads


def _cells(content: bytes | None) -> dict[str, list[str]] | None:
    """Return a CSV file by column, as text; None for one that has quotes, or is none."""
    if not content or b'"' in content or not content.endswith(b"\n") or b"\r" in content:
        return None
    try:
        head, *lines = content.decode().split("\n")[:-1]
    except UnicodeDecodeError:
        return None
    columns, rows = head.split(","), [line.split(",") for line in lines]
    if len(set(columns)) < len(columns) or "run" in columns:
        return None
    if any(len(row) != len(columns) for row in rows):
        return None
    return {c: [row[n] for row in rows] for n, c in enumerate(columns)}


def _type_of(pa: Any, parts: Iterable[Sequence[str]]) -> Any:
    """Return the type of a column: the narrowest that holds every cell exactly, for most tables."""
    kinds = {_kind(cell) for cells in parts for cell in set(cells)} - {None}
    if kinds <= {"int"}:
        return pa.int64()
    return pa.float64() if kinds == {"float"} else pa.string()


def _kind(cell: str) -> str | None:
    if cell == "":
        return None
    with contextlib.suppress(ValueError):
        if str(int(cell)) == cell and -(2**63) <= int(cell) < 2**63:
            return "int"
    with contextlib.suppress(ValueError):
        if repr(float(cell)) == cell:
            return "float"
    return "text"


def _typed(pa: Any, schema: Any, run: str, cells: Mapping[str, list[str]] | None) -> Any:
    """Return the rows of a run as a table of numbers; None where they are kept as text."""
    if cells is None:
        return None
    count = max(map(len, cells.values()), default=0)
    arrays: list[Any] = [pa.array([run] * count, pa.string())]
    read: list[list[Any]] = []
    for field in list(schema)[1:]:
        own = cells.get(field.name)
        convert = {pa.int64(): int, pa.float64(): float}.get(field.type, str)
        values = [None] * count if own is None else [convert(c) if c else None for c in own]
        arrays.append(pa.array(values, field.type))
        if own is not None:
            read.append(values)
    order = [name for name in schema.names if name in cells]
    whole = csv_text(order, read) if count else ""
    if count and whole.split("\n", 1)[1] != _text_of(order, cells):
        return None
    return run, pa.Table.from_arrays(arrays, schema=schema)


def _text_of(order: Sequence[str], cells: Mapping[str, list[str]]) -> str:
    return "".join(f"{','.join(row)}\n" for row in zip(*(cells[c] for c in order), strict=True))


def _write_files(
    folder: Path,
    number: int,
    runs: Mapping[str, Files],
    chunks: Sequence[Sequence[str]],
    listed: Sequence[dict[str, Any]],
    tabled: Mapping[str, Mapping[str, str]],
) -> None:
    pa, pq = parquet()
    kinds = {"run": pa.string(), "name": pa.string(), "bytes": pa.int64(), "sha256": pa.string(),
             "columns": pa.string(), "content": pa.binary()}  # fmt: skip
    schema = pa.schema(list(kinds.items()))

    def row(run: str, name: str, content: bytes) -> tuple[Any, ...]:
        head = tabled.get(name.removesuffix(".csv"), {}).get(run)
        digest = hashlib.sha256(content).hexdigest()
        return (run, name, len(content), digest, head, content if head is None else None)

    def write(file: IO[bytes]) -> None:
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for group, (own, listing) in enumerate(zip(chunks, listed, strict=True)):
                rows = [row(run, *item) for run in own for item in runs[run].items()]
                columns = [pa.array(c, t) for c, t in zip(zip(*rows, strict=True), kinds.values(),
                           strict=True)]  # fmt: skip
                writer.write_table(
                    pa.Table.from_arrays(columns, schema=schema), row_group_size=2**40
                )
                listing["files"] = group

    atomic_write_by(write, folder / file_of(number, "files"))


def sync(folder: Path) -> None:
    """Put the names in a folder on disk, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
