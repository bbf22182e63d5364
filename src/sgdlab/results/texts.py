"""Reads text of runs: what their manifest says, and nothing that no text holds."""

from pathlib import Path

from sgdlab.errors import InputError
from sgdlab.results.files import LARGE, SMALL, own_contents, packed_content
from sgdlab.results.manifest import check


def checked(path: Path | str, most: int = SMALL) -> bytes:
    """Return the bytes of a file; where the run has a manifest, they are those that it lists.

    Those of a run that lies packed are those that were packed, which its manifest listed.

    Raises:
        FileNotFoundError: There is none.
        InputError: It is no regular file, or too large, or damaged; names it and says why.
    """
    try:
        content = own_contents(path, most)
    except FileNotFoundError:
        if (packed := packed_content(path, most, whole=True)) is None:
            raise
        return packed
    check(path, content)
    return content


def table_contents(path: Path | str, most: int = LARGE) -> bytes:
    """Return the bytes of a CSV file, of which is known that they are text.

    Raises:
        FileNotFoundError: There is none.
        InputError: It is none that can be read, or not what its run has written; names the file,
            and the line where one is to blame.
    """
    content = checked(path, most)
    if content.startswith(b"\xef\xbb\xbf"):
        raise InputError(f"{path}, line 1: begins with a byte-order mark; no table of sgdlab does")
    if (place := content.find(b"\0")) >= 0:
        raise InputError(f"{path}, line {line_of(content, place)}: holds NUL, which is not text")
    if not content.isascii():
        try:
            content.decode()
        except UnicodeDecodeError as error:
            line = line_of(content, error.start)
            raise InputError(f"{path}, line {line}: not text (no UTF-8)") from error
    return content


def line_of(content: bytes, place: int) -> int:
    """Return the line of a place in a file, from 1."""
    return content.count(b"\n", 0, place) + 1
