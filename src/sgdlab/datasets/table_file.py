"""The cells of a CSV or Parquet file, as they stand in it.

Polars reads both without further packages. Text files come as text, so that no number is rounded
and no zero lost before `sgdlab.datasets.table_columns` has seen all of a column.
"""

import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from sgdlab.datasets.table_settings import CHARACTERS
from sgdlab.errors import InputError, nearest, one_line

if TYPE_CHECKING:
    import polars as pl

_SEPARATORS = (",", ";", "\t", "|")
_SAID = re.compile(r'[\r\n]*"?sep=(.)"?\r?\n')
_SAMPLE = 100
_FOREIGN = {
    b"PK\x03\x04": "an archive or a spreadsheet", b"\xd0\xcf\x11\xe0": "an old spreadsheet",
    b"SQLite f": "a database", b"\x89HDF": "HDF5", b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz", b"(\xb5/\xfd": "compressed by zstd",
    b"ARROW1": "Arrow's format",
}  # fmt: skip


def read_cells(path: str, separator: str | None, encoding: str, header: str) -> "pl.DataFrame":
    """Read all cells of a file.

    Args:
        path: CSV with any separator, also compressed by gzip, or Parquet.
        separator: What stands between the columns of a text file; None: found in the file.
        encoding: Of a text file; a byte order mark goes before it.
        header: ``yes``: the first line has the names; ``no``: columns are called
            ``column_1``, …; ``auto``: the former, unless the first line holds numbers only.

    Returns:
        A table with a column for each of the file, in its order; columns of text files are text,
        null where a cell is empty.

    Raises:
        InputError: No such file, another format, other bytes than the encoding has, no rows, rows
            of different lengths, two columns of one name.
    """
    raw = _bytes(path)
    if raw[:4] == b"PAR1":
        return _parquet(raw, path)
    for magic, what in _FOREIGN.items():
        if raw.startswith(magic):
            raise InputError(f"dataset.path={path}: is {what}; save it as CSV, CSV.gz or Parquet")
    return _Text(_decoded(raw, encoding, path), path).cells(separator, header)


def _bytes(path: str) -> bytes:
    file = Path(path).expanduser()
    try:
        raw = file.read_bytes()
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except FileNotFoundError as error:
        folder = file.parent
        there = [each.name for each in folder.iterdir()] if folder.is_dir() else []
        close = nearest(file.name, there)
        hint = f"did you mean {' or '.join(close)}?" if close else "give a file that exists"
        where = folder.absolute()
        raise InputError(f"dataset.path={file.name}: no such file in {where}; {hint}") from error
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise InputError(f"dataset.path={path}: cannot be read ({reason})") from error


def _parquet(raw: bytes, path: str) -> "pl.DataFrame":
    import polars as pl

    try:
        cells = pl.read_parquet(io.BytesIO(raw))
    except Exception as error:  # polars has errors of its own, and panics of Rust
        reason = one_line(error)[:200]
        raise InputError(f"dataset.path={path}: no readable Parquet file ({reason})") from error
    if cells.is_empty():
        raise InputError(f"dataset.path={path}: has no rows")
    return cells


def _decoded(raw: bytes, encoding: str, path: str) -> str:
    marks = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
    found = next((name for mark, name in marks.items() if raw.startswith(mark)), encoding)
    try:
        text = raw.decode(found)
    except LookupError as error:
        raise InputError(f"dataset.encoding={encoding}: utf-8, latin-1, cp1252, …") from error
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(
            f"dataset.path={path}: byte 0x{raw[error.start]:02x} in line {line} is not {found}: "
            "set dataset.encoding, for example cp1252 or latin-1"
        ) from error
    if "\0" in text[:1000]:
        raise InputError(f"dataset.path={path}: is neither text nor Parquet")
    return text if "\n" in text else text.replace("\r", "\n")


class _Text:
    """The text of a file, and where it came from for messages."""

    def __init__(self, text: str, path: str) -> None:
        said = _SAID.match(text)  # spreadsheets read such a line, too
        self.text = text[said.end() if said else 0 :].lstrip("\r\n")
        self.where = f"dataset.path={path}"
        self.said = said[1] if said else None
        if not self.text.strip():
            raise InputError(f"{self.where}: is empty")

    def cells(self, given: str | None, header: str) -> "pl.DataFrame":
        """Parse the text; see `read_cells`."""
        import polars as pl

        separator: str = given or self.said or self._separator()
        first, *rows = islice(self._records(separator), _SAMPLE)
        if header != "no" and rows and all(len(row) == len(first) + 1 for row in rows):
            if any(row[-1] for row in rows):  # as R writes the names of rows
                first, self.text = ["", *first], separator + self.text
            else:  # all lines but the first end with a separator
                first, self.text = [*first, ""], self.text.replace("\n", f"{separator}\n", 1)
        names = self._names(first, header)
        try:
            cells = pl.read_csv(
                self.text.encode(),
                separator=separator,
                infer_schema=False,
                has_header=header != "no",
            )
        except pl.exceptions.PolarsError as error:
            self._refuse_ragged(separator, len(names))
            reason = one_line(error).split("You might")[0][:200]
            raise InputError(f"{self.where}: no readable text file: {reason}") from error
        if cells.height and cells[:, -1].null_count():
            self._refuse_ragged(separator, len(names))
        cells.columns = names
        cells = cells.filter(~pl.all_horizontal(pl.all().is_null()))  # lines with nothing in them
        if cells.is_empty():
            raise InputError(f"{self.where}: has no rows below the names of its columns")
        return cells

    def _records(self, separator: str) -> Iterator[list[str]]:
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=separator)
        return (row for row in reader if row)

    def _separator(self) -> str:
        sizes = {each: self._sizes(each) for each in _SEPARATORS}
        even = [each for each, found in sizes.items() if _is_table(found)]
        if not even and _is_table(self._sizes(" ")):
            return " "
        if not even:
            head = self.text.split("\n", 1)[0]
            even = [each for each in _SEPARATORS if each in head]
        if len(even) > 1:
            name = {value: key for key, value in CHARACTERS.items()}
            options = " or ".join(f"dataset.separator={name[each]}" for each in even)
            raise InputError(f"{self.where}: columns could be cut in two ways: {options}")
        return even[0] if even else ","

    def _sizes(self, separator: str) -> list[int]:
        try:
            return [len(row) for row in islice(self._records(separator), _SAMPLE)]
        except csv.Error:  # a field without end: no separator of this file
            return []

    def _names(self, first: list[str], header: str) -> list[str]:
        if header == "no":
            return [f"column_{index}" for index in range(1, len(first) + 1)]
        names = [name.strip() for name in first]
        if all(len(name) > 2 and name[0] == name[-1] == "'" for name in names):
            names = [name[1:-1] for name in names]
        if header == "auto" and all(_is_number(name) for name in names):
            raise InputError(
                f"{self.where}: the first line holds numbers ({', '.join(names[:3])}), no names: "
                "dataset.header=no, or yes if these are the names"
            )
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            shown = ", ".join(name or "(no name)" for name in twice[:3])
            raise InputError(f"{self.where}: two columns are called {shown}: rename one")
        return names

    def _refuse_ragged(self, separator: str, width: int) -> None:
        for number, row in enumerate(self._records(separator), start=1):
            if len(row) != width:
                raise InputError(
                    f"{self.where}: line {number} has {len(row)} fields, the first line {width}: "
                    "mend the file, or set dataset.separator"
                )


def _is_table(sizes: list[int]) -> bool:
    """Say whether all records have the same number of fields; R's first line has one less."""
    widths = set(sizes[1:]) or set(sizes[:1])
    return len(widths) == 1 and sizes[0] > 1 and max(widths) - sizes[0] in (0, 1)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
