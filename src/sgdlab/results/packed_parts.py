"""The files of packed runs: their names, their listings, and rows as lines of CSV."""

import importlib
import json
import os
from typing import Any, NamedTuple, cast

from sgdlab.checks import pip_install
from sgdlab.errors import InputError

PACKED = "packed"
"""The folder of a study that holds its parts."""

MARK = '{"sgdlab_packed": 1,'
"""How the listing of a part begins."""

TABLES = ("steps", "evals")
PARTS = (*TABLES, "files")
LARGEST = 2**30
"""Bytes of a file of a part at most; ours have a few dozen million."""


class PackedFile(NamedTuple):
    """What is known of a file without reading it.

    Attributes:
        row: Its row among those of its group.
        sha256: The hash of its bytes when it was packed.
        columns: The first line of a table whose rows lie in another one.
    """

    row: int
    sha256: str
    columns: str | None


FILE_COLUMNS = ["run", "name", *PackedFile._fields[1:]]
"""Columns of the table of all files that `files_by_run` needs."""


def files_by_run(table: Any) -> dict[str, dict[str, PackedFile]]:
    """Return the files of a group of runs, by run and name."""
    found: dict[str, dict[str, PackedFile]] = {}
    cells = zip(*(table[column].to_pylist() for column in FILE_COLUMNS), strict=True)
    for row, (run, name, *known) in enumerate(cells):
        found.setdefault(run, {})[name] = PackedFile(row, *known)
    return found


def rows_by_run(table: Any) -> dict[str, dict[str, list[Any]]]:
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


def csv_text(columns: list[str], cells: list[list[Any]]) -> str:
    """Return a table as CSV: floats by their shortest text, None as an empty cell."""
    texts = [
        ["" if cell is None else cell if isinstance(cell, str) else repr(cell) for cell in own]
        for own in cells
    ]
    lines = [",".join(columns), *(",".join(row) for row in zip(*texts, strict=True))]
    return "\n".join(lines) + "\n"


def file_of(part: int, kind: str) -> str:
    """Return the name of a table of a part."""
    return f"part-{part:05d}.{kind}.parquet"


def listing_of(part: int) -> str:
    """Return the name of the listing of a part."""
    return f"part-{part:05d}.json"


def parquet() -> tuple[Any, Any]:
    """Return ``pyarrow`` and ``pyarrow.parquet``.

    Raises:
        InputError: The extra is not installed.
    """
    try:  # slow, and few studies are packed
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        line = f"packed studies are Parquet files: {pip_install('parquet')}"
        raise InputError(line) from error


def parts_in(folder: str) -> list[int]:
    """Return the numbers of the parts of a folder ``packed``, in order."""
    names = os.listdir(folder) if os.path.isdir(folder) else []
    ends = [name[5:-5] for name in names if name.startswith("part-") and name.endswith(".json")]
    return sorted(int(end) for end in ends if end.isdigit())


def groups_of(folder: str, part: int) -> list[dict[str, Any]]:
    """Return the groups of runs of a part: ``runs``, and the number of each table's rows.

    Raises:
        InputError: The listing is damaged.
    """
    from sgdlab.results.files import own_contents  # which asks here for what is packed

    path = os.path.join(folder, listing_of(part))
    try:
        text = own_contents(path, LARGEST).decode()
        if not text.startswith(MARK):
            raise ValueError
        return cast("list[dict[str, Any]]", json.loads(text)["groups"])
    except (ValueError, KeyError, FileNotFoundError, RecursionError) as error:
        raise InputError(f"{path}: damaged, or not written by sgdlab pack") from error


def is_below(run: str) -> bool:
    """Say whether the folder of a run, relative to its study, leads nowhere else."""
    parts = run.split("/")
    return not {"", ".", ".."} & set(parts) and "\\" not in run and "\0" not in run
