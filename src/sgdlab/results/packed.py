"""Runs of a study that lie packed in Parquet files, read as if each had its folder.

A study of many runs has a folder ``packed`` with parts of about a thousand runs. A part is three
tables and a listing, ``part-00000.json``, which is written last: without it there is no part.

- ``part-00000.steps.parquet`` and ``.evals.parquet`` have the rows of all ``steps.csv`` and
  ``evals.csv``, with the same columns after ``run``: numbers as 64-bit integers and floats, whose
  shortest texts are those of the CSV files, so that these can be written again byte by byte.
- ``part-00000.files.parquet`` has all files: ``run,name,bytes,sha256,columns,content``. ``content``
  is null for a table whose rows are in the others, with ``columns`` as its first line.

A run that has a folder of its own, too, is the one in the folder.
"""

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sgdlab.errors import InputError
from sgdlab.results.packed_parts import (
    LARGEST,
    PACKED,
    PARTS,
    csv_text,
    file_of,
    groups_of,
    is_below,
    listing_of,
    parquet,
    parts_in,
)

LEVELS = 3
"""Folders above a run that may be its study."""
_DECODED = 48
"""Groups of runs that are kept decoded."""


class Place(NamedTuple):
    """Where a run lies: the number of its part, and of its group of rows in each table."""

    part: int
    groups: tuple[int | None, int | None, int | None]


class PackedFile(NamedTuple):
    """What the table of all files says of one.

    Attributes:
        sha256: The hash of its bytes when it was packed.
        columns: The first line of a table whose rows lie in another one.
        content: Its bytes; None for such a table.
    """

    sha256: str
    columns: str
    content: bytes | None


@dataclass
class PackedStudy:
    """The packed runs of one study.

    Attributes:
        folder: The folder ``packed``.
        runs: Where each run lies, by its folder relative to the study's.
    """

    folder: str
    runs: dict[str, Place]

    def __post_init__(self) -> None:
        self._decoded: OrderedDict[tuple[int, str, int], Any] = OrderedDict()
        self._open: OrderedDict[tuple[int, str], Any] = OrderedDict()

    def names(self, run: str) -> list[str]:
        """Return the names of a run's files."""
        return list(self._files(self.runs[run])[run])

    def content(self, run: str, name: str) -> bytes | None:
        """Return the bytes of a run's file; None where it has none of the name.

        Raises:
            InputError: The part is damaged.
        """
        place = self.runs[run]
        found = self._files(place)[run].get(name)
        if found is None:
            return None
        if found.content is not None:
            return found.content
        return self._lines(place, run, name, found.columns)

    def whole(self, run: str, name: str) -> bytes:
        """Return the bytes of a run's file as they were when it was packed.

        Raises:
            InputError: They are others, or the part is damaged.
        """
        content, digest = self.content(run, name), self._files(self.runs[run])[run][name].sha256
        if content is None or hashlib.sha256(content).hexdigest() != digest:
            raise InputError(
                f"{self.folder}: {run}/{name} is damaged: sha256 {digest[:12]}… expected"
            )
        return content

    def _files(self, place: Place) -> dict[str, dict[str, PackedFile]]:
        """Return what is known of the files of the runs beside a run, by run and name."""
        group = place.groups[PARTS.index("files")]
        assert group is not None

        def decode() -> dict[str, dict[str, PackedFile]]:
            table = self._group(place.part, "files", group)
            cells = [table[name].to_pylist() for name in ("run", "name", *PackedFile._fields)]
            found: dict[str, dict[str, PackedFile]] = {}
            for run, name, *own in zip(*cells, strict=True):
                found.setdefault(run, {})[name] = PackedFile(*own)
            return found

        return self._once((place.part, "files", group), decode)

    def _lines(self, place: Place, run: str, name: str, columns: str) -> bytes:
        """Return a table as the CSV file that it was."""
        kind = name.partition(".")[0]
        group = place.groups[PARTS.index(kind)]
        if group is None:  # a head without rows, and so have its neighbours
            return f"{columns}\n".encode()
        key = (place.part, kind, group)
        rows_of: dict[str, dict[str, list[Any]]] = self._once(
            key, lambda: _rows_by_run(self._group(place.part, kind, group))
        )
        own = columns.split(",")
        rows = rows_of.get(run, {})
        return csv_text(own, [rows.get(column, []) for column in own]).encode()

    def _once(self, key: tuple[int, str, int], decode: Any) -> Any:
        if key in self._decoded:
            self._decoded.move_to_end(key)
            return self._decoded[key]
        found = self._decoded[key] = decode()
        while len(self._decoded) > _DECODED:
            self._decoded.popitem(last=False)
        return found

    def _group(self, part: int, kind: str, group: int) -> Any:
        """Return one group of rows of a table of a part."""
        pa, pq = parquet()
        key, path = (part, kind), os.path.join(self.folder, file_of(part, kind))
        try:
            if key not in self._open:
                from sgdlab.results.files import own_contents

                self._open[key] = pq.ParquetFile(pa.BufferReader(own_contents(path, LARGEST)))
            self._open.move_to_end(key)
            while len(self._open) > len(PARTS) * 4:
                self._open.popitem(last=False)
            return self._open[key].read_row_group(group, use_threads=False)
        except (FileNotFoundError, OSError, pa.ArrowException, KeyError) as error:
            said = str(error).strip().splitlines()
            raise InputError(f"{path}: damaged ({said[0] if said else 'unreadable'})") from error


def _rows_by_run(table: Any) -> dict[str, dict[str, list[Any]]]:
    """Return the cells of a group by run and column."""
    columns = {name: table[name].to_pylist() for name in table.column_names}
    runs = columns.pop("run")
    found: dict[str, dict[str, list[Any]]] = {}
    begin = 0
    for end in range(1, len(runs) + 1):
        if end == len(runs) or runs[end] != runs[begin]:
            found[runs[begin]] = {name: cells[begin:end] for name, cells in columns.items()}
            begin = end
    return found


_studies: dict[str, tuple[int, PackedStudy]] = {}


def packed_in(study: str) -> PackedStudy | None:
    """Return the packed runs of a study; None where there are none.

    Raises:
        InputError: A listing is damaged, or no file.
    """
    folder = os.path.join(study, PACKED)
    try:
        changed = os.lstat(folder).st_mtime_ns
    except OSError:
        return None
    known = _studies.get(folder)
    if known is None or known[0] != changed:
        if os.path.islink(folder) or not os.path.isdir(folder):
            return None
        known = _studies[folder] = (changed, PackedStudy(folder, dict(_listed(folder))))
    return known[1] if known[1].runs else None


def _listed(folder: str) -> Iterator[tuple[str, Place]]:
    for part in parts_in(folder):  # a later one counts where a run is in two
        for group in groups_of(folder, part):
            try:
                place = Place(part, tuple(group[kind] for kind in PARTS))
                yield from ((str(run), place) for run in group["runs"] if is_below(run))
            except (KeyError, TypeError) as error:
                path = os.path.join(folder, listing_of(part))
                raise InputError(f"{path}: damaged, or not written by sgdlab pack") from error


def found(directory: str) -> tuple[PackedStudy, str] | None:
    """Return the study that has a run packed, and what it calls it; None where none does."""
    if os.path.lexists(directory):
        return None  # a folder of its own is the run
    for study, run in _above(os.path.abspath(directory)):
        packed = packed_in(study)
        if packed is not None and run in packed.runs:
            return packed, run
    return None


@lru_cache(maxsize=256)
def _above(directory: str) -> list[tuple[str, str]]:
    """Return the folders that may be the study of a run, each with what it would call it."""
    study, run = os.path.split(directory)
    found: list[tuple[str, str]] = []
    for _ in range(LEVELS):
        found.append((study, run))
        study, name = os.path.split(study)
        run = f"{name}/{run}"
    return found


def content_of(path: str) -> bytes | None:
    """Return the bytes of a file of a packed run; None where there is none."""
    directory, name = os.path.split(path)
    place = found(directory)
    return None if place is None else place[0].content(place[1], name)


def is_there(path: str) -> bool:
    """Say whether a file of a run is there, in its folder or packed."""
    if os.path.lexists(path):
        return True
    directory, name = os.path.split(path)
    place = found(directory)
    return place is not None and name in place[0].names(place[1])
