"""A file beside the one that it will replace, opened so that no link leads the bytes elsewhere."""

import contextlib
import itertools
import os
import stat
from io import BufferedWriter
from pathlib import Path


def open_part(path: Path) -> BufferedWriter:
    """Return a new file in the folder of ``path``; its ``name`` is where it lies.

    What a killed process has left of an earlier one is replaced. A link, or what else has the name
    of a part and was put there by others, stays as it is, and the part has another name.
    """
    for number in itertools.count():
        part = path.with_name(f".{path.name}{number or ''}.part")
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISREG(os.lstat(part).st_mode):
                part.unlink()
        try:
            return part.open("xb")  # which follows no link
        except FileExistsError:
            continue
    raise AssertionError("numbers end")
