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
    FILE_COLUMNS,
    LARGEST,
    PACKED,
    PARTS,
    PackedFile,
    csv_text,
    file_of,
    files_by_run,
    groups_of,
    is_below,
    listing_of,
    parquet,
    parts_in,
    rows_by_run,
)

LEVELS = 3
"""Folders above a run that may be its study."""
_DECODED = 48
"""Groups of runs that are kept decoded."""
_OPEN = 48
"""Files of parts that are kept in memory: a sweep packs ten parts at a time, whose runs alternate
with those of others."""


class Place(NamedTuple):
    """Where a run lies: the number of its part, and of its group of rows in each table."""

    part: int
    groups: tuple[int | None, int | None, int | None]

    @property
    def files(self) -> int:
        """The group of the table of all files, which every run has."""
        group = self.groups[PARTS.index("files")]
        assert group is not None
        return group


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

    def content(self, run: str, name: str, whole: bool = False) -> bytes | None:
        """Return the bytes of a run's file; None where it has none of the name.

        Args:
            run: The run.
            name: The name of the file.
            whole: Compare them with those that were packed.

        Raises:
            InputError: They are others, or the part is damaged.
        """
        place = self.runs[run]
        file = self._files(place)[run].get(name)
        if file is None:
            return None
        if file.columns is not None:
            content = self._lines(place, run, name, file.columns)
        else:
            content = self._contents(place)[file.row].as_py()
        if whole and hashlib.sha256(content).hexdigest() != file.sha256:
            raise InputError(
                f"{self.folder}: {run}/{name} is damaged: sha256 {file.sha256[:12]}… expected"
            )
        return content

    def _files(self, place: Place) -> dict[str, dict[str, PackedFile]]:
        """Return the files of the runs beside a run, by run and name."""

        def decode() -> dict[str, dict[str, PackedFile]]:
            return files_by_run(self._group(place.part, "files", place.files, FILE_COLUMNS))

        return self._once((place.part, "files", place.files), decode)

    def _contents(self, place: Place) -> Any:
        """Return the bytes of those files, each made a value of Python where it is asked for."""

        def decode() -> Any:
            table = self._group(place.part, "files", place.files, ["content"])
            return table["content"].combine_chunks()

        return self._once((place.part, "contents", place.files), decode)

    def _lines(self, place: Place, run: str, name: str, columns: str) -> bytes:
        """Return a table as the CSV file that it was."""
        kind = name.partition(".")[0]
        group = place.groups[PARTS.index(kind)]
        if group is None:  # a head without rows, and so have its neighbours
            return f"{columns}\n".encode()
        key = (place.part, kind, group)
        rows_of: dict[str, dict[str, list[Any]]] = self._once(
            key, lambda: rows_by_run(self._group(place.part, kind, group))
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

    def _group(self, part: int, kind: str, group: int, columns: list[str] | None = None) -> Any:
        """Return one group of rows of a table of a part, or some columns of it."""
        pa, pq = parquet()
        key, path = (part, kind), os.path.join(self.folder, file_of(part, kind))
        try:
            if key not in self._open:
                from sgdlab.results.files import own_contents

                self._open[key] = pq.ParquetFile(pa.BufferReader(own_contents(path, LARGEST)))
            self._open.move_to_end(key)
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
            return self._open[key].read_row_group(group, columns, use_threads=False)
        except (FileNotFoundError, OSError, pa.ArrowException, KeyError) as error:
            said = str(error).strip().splitlines()
            raise InputError(f"{path}: damaged ({said[0] if said else 'unreadable'})") from error


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
    parent, name = os.path.split(os.path.abspath(directory))
    for study, between in _above(parent):
        packed = packed_in(study)
        if packed is not None and (run := between + name) in packed.runs:
            return packed, run
    return None


@lru_cache(maxsize=256)
def _above(parent: str) -> list[tuple[str, str]]:
    """Return the folders that may be the study of runs in a folder, each with what is between."""
    study, between = parent, ""
    found: list[tuple[str, str]] = []
    for _ in range(LEVELS):
        found.append((study, between))
        study, name = os.path.split(study)
        between = f"{name}/{between}"
    return found


def is_there(path: str) -> bool:
    """Say whether a file of a run is there, in its folder or packed."""
    if os.path.lexists(path):
        return True
    directory, name = os.path.split(path)
    place = found(directory)
    return place is not None and name in place[0].names(place[1])
