"""Reads a file of a folder that may be anyone's: a regular one, not too large, text where it is."""

import os
import stat
from pathlib import Path

from sgdlab.errors import InputError

SMALL = 2**20
"""Bytes of a config, a summary or an environment at most; ours have a few thousand."""

LARGE = 2**28
"""Bytes of a table at most: three million steps."""

_KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip

# A pipe is opened without waiting for its other end, a terminal without becoming ours, and nothing
# through a link that was put in the file's place meanwhile. Not every system has each flag.
_FLAGS = os.O_RDONLY | sum(
    getattr(os, name, 0)
    for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_NOCTTY", "O_CLOEXEC", "O_BINARY")
)


def contents(path: Path | str, most: int = SMALL, begin: int | None = None) -> bytes:
    """Return the bytes of a file, or of one of a run that lies packed; see `own_contents`."""
    try:
        return own_contents(path, most, begin)
    except FileNotFoundError:
        if (found := packed_content(path, most)) is None:
            raise
        return found if begin is None else found[:begin]


def packed_content(path: Path | str, most: int, whole: bool = False) -> bytes | None:
    """Return the bytes of a file of a run that lies packed; None where there is none.

    Args:
        path: The file.
        most: The bytes that it has at most.
        whole: Compare them with those that were packed.

    Raises:
        InputError: There are more, or they are damaged.
    """
    from sgdlab.results.packed import found  # which reads by this module

    directory, name = os.path.split(path)
    place = found(directory)
    content = None if place is None else place[0].content(place[1], name, whole)
    if content is not None and len(content) > most:
        raise _too_large(path, len(content), most)
    return content


def own_contents(path: Path | str, most: int = SMALL, begin: int | None = None) -> bytes:
    """Return the bytes of a file.

    Args:
        path: The file. A link is followed to a file of the same folder, or below it, only.
        most: The bytes that it has at most.
        begin: How many of its first bytes to return; None: all.

    Raises:
        FileNotFoundError: There is none.
        InputError: It is no regular file, or too large, or cannot be read; names it and says why.
    """
    try:
        found = os.lstat(path)
        real = _within(path) if stat.S_ISLNK(found.st_mode) else path
        if not stat.S_ISREG(found.st_mode) and real is path:
            raise _not_regular(path, found.st_mode)
        file = os.open(real, _FLAGS)
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                raise _not_regular(path, found.st_mode)
            if found.st_size > most:
                raise _too_large(path, found.st_size, most)
            return _read(file, found.st_size if begin is None else begin)
        finally:
            os.close(file)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(str(path)) from error
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _too_large(path: Path | str, size: int, most: int) -> InputError:
    return InputError(f"{path}: {size:,} bytes; at most {most:,} are read")


def _not_regular(path: Path | str, mode: int) -> InputError:
    kind = _KINDS.get(stat.S_IFMT(mode), "no file")
    return InputError(f"{path}: {kind}; must be a regular file")


def _within(path: Path | str) -> str:
    """Return what a link leads to, where that lies in its own folder."""
    real = os.path.realpath(path)
    if not real.startswith(os.path.join(os.path.realpath(os.path.dirname(path)), "")):
        raise InputError(f"{path}: a link out of its folder, which is not followed")
    if not os.path.exists(real):
        raise InputError(f"{path}: a link to nothing")
    return real


def _read(file: int, size: int) -> bytes:
    parts: list[bytes] = []
    while size > 0 and (part := os.read(file, size)):
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
