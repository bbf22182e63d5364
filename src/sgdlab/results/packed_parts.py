"""The files of packed runs: their names, their listings, and rows as lines of CSV."""

import importlib
import json
import os
from typing import Any, cast

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


def csv_text(columns: list[str], cells: list[list[Any]]) -> str:
    """Return a table as CSV: floats by their shortest text, None as an empty cell."""
    texts = [["" if cell is None else _text(cell) for cell in own] for own in cells]
    lines = [",".join(columns), *(",".join(row) for row in zip(*texts, strict=True))]
    return "\n".join(lines) + "\n"


def _text(cell: object) -> str:
    return repr(cell) if isinstance(cell, float) else str(cell)


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
