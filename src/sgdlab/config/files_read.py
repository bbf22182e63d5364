"""The files that users' parts read while they are built, whoever names them."""

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sgdlab.optimizers import traits

_read: dict[str, set[str]] = {}
_reading: list[str] = []
_installed: list[bool] = []

_NO_DATA = ("/proc", "/sys", "/dev")
_CODE = (".py", ".pyc", ".so", ".yaml")
_WRITING = os.O_WRONLY | os.O_RDWR


@contextlib.contextmanager
def reading(section: Mapping[str, Any]) -> Iterator[None]:
    """Take note of the files that are opened to be read while what a section names is called.

    By Python's audit events, so that what a library opens for it counts, too; what opens files
    without Python is not seen.
    """
    if not _installed:
        _installed.append(True)
        sys.addaudithook(_see)
    _reading.append(_key(section))
    try:
        yield
    finally:
        _reading.pop()


def read_by(section: Mapping[str, Any]) -> list[str]:
    """Return the files that calls of a section have read in this process, sorted."""
    return sorted(_read.get(_key(section), ()))


def _key(section: Mapping[str, Any]) -> str:
    own = {key: value for key, value in section.items() if key != traits.KEY}
    return json.dumps(own, sort_keys=True, default=str)


def _see(event: str, arguments: tuple[Any, ...]) -> None:
    if event != "open" or not _reading:
        return
    path, mode, flags = arguments
    if not isinstance(path, str) or path.endswith(_CODE):
        return
    if (mode is not None and set(mode) & set("wax+")) or (mode is None and flags & _WRITING):
        return
    absolute = os.path.abspath(path)
    if absolute.startswith(_NO_DATA) or "site-packages" in Path(absolute).parts:
        return
    here = os.getcwd() + os.sep
    _read.setdefault(_reading[-1], set()).add(absolute.removeprefix(here))
