"""The text of files that a user names: one, all of a folder, or those that a pattern matches."""

import glob
import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sgdlab.errors import InputError, nearest

EMBEDDED = "pydoc_data.topics"
"""The module of Python's own that holds the text of ``help()``, in every installation."""

_PIECE = 1 << 16


@dataclass(frozen=True)
class Source:
    """A text that can be gone through any number of times, in pieces.

    Attributes:
        name: What it is called in notes.
        where: What it is called in refusals.
        size: Bytes.
        files: What it is read from, in their order.
        held: The text itself, where it is in memory; then there are no files.
    """

    name: str
    where: str
    size: int
    files: Sequence[Path] = ()
    held: bytes = b""

    def pieces(self) -> Iterator[bytes]:
        """Yield the text, files joined by newlines, in pieces of about 64 KiB.

        A piece ends behind a newline, or where there is none for so long, behind a character of
        UTF-8. The pieces depend on the text alone.

        Raises:
            InputError: A file cannot be read.
        """
        rest = b""
        for block in self._blocks():
            whole = rest + block
            while len(whole) >= _PIECE:
                end = _end_of_piece(whole[:_PIECE])
                yield whole[:end]
                whole = whole[end:]
            rest = whole
        if rest:
            yield rest

    def _blocks(self) -> Iterator[bytes]:
        if not self.files:
            yield self.held
        for number, file in enumerate(self.files):
            if number:
                yield b"\n"
            try:
                with file.open("rb") as stream:
                    while block := stream.read(16 * _PIECE):
                        yield block
            except OSError as error:
                raise InputError(
                    f"{self.where}: {file.name} cannot be read ({error.strerror})"
                ) from error

    def characters(self) -> Iterator[str]:
        """Yield the pieces as text.

        Raises:
            InputError: A file cannot be read, or is no UTF-8.
        """
        lines = 1
        for piece in self.pieces():
            try:
                yield piece.decode()
            except UnicodeDecodeError as error:
                line = lines + piece[: error.start].count(b"\n")
                raise InputError(
                    f"{self.where}: byte 0x{piece[error.start]:02x} in line {line} is not UTF-8, "
                    "which characters and bpe need; convert it, or use dataset.tokens=bytes"
                ) from error
            lines += piece.count(b"\n")


def _end_of_piece(piece: bytes) -> int:
    """Return how much of a piece is whole lines, or where there is none, whole characters."""
    if end := piece.rfind(b"\n") + 1:
        return end
    for back in range(1, 5):
        byte = piece[-back]
        if byte >= 0xC0:  # begins a character of 2, 3 or 4 bytes
            return len(piece) - back if back < 2 + (byte >= 0xE0) + (byte >= 0xF0) else len(piece)
        if byte < 0x80:
            break
    return len(piece)


def embedded_source() -> Source:
    """Return the English that Python's ``help()`` shows of its language, as UTF-8.

    The values of `pydoc_data.topics.topics` in the order of their keys, joined by newlines: about
    460,000 characters. The text changes a little between versions of Python, and the fingerprint
    of the data with it.

    Raises:
        InputError: This Python lacks the module.
    """
    try:
        topics: dict[str, str] = importlib.import_module(EMBEDDED).topics
    except ImportError as error:
        raise InputError(
            f"dataset=text: this Python has no {EMBEDDED}; set dataset.path to a text of your own"
        ) from error
    held = "\n".join(topics[key] for key in sorted(topics)).encode()
    return Source(EMBEDDED, "dataset=text", len(held), held=held)


def files_source(path: str) -> Source:
    """Return the text of files, in the order of their paths, joined by newlines.

    Args:
        path: A file; a folder, of which all files are read, those of its folders, too, but no
            hidden ones; or a pattern such as ``books/*.txt``, where ``**`` stands for any folders.

    Raises:
        InputError: There is no such file, or one cannot be looked at.
    """
    files, where = _files(path), f"dataset.path={path}"
    try:
        size = sum(file.stat().st_size for file in files) + len(files) - 1
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror})") from error
    return Source(Path(path).name, where, size, files)


def _files(path: str) -> list[Path]:
    start = Path(path).expanduser()
    if start.is_dir():
        found = [f for f in start.rglob("*") if f.is_file() and not _is_hidden(f, start)]
        if not found:
            raise InputError(f"dataset.path={path}: no files in this folder; put texts into it")
    elif start.exists():
        found = [start]
    elif glob.has_magic(path):
        named = glob.glob(str(start), recursive=True)
        found = [file for file in map(Path, named) if file.is_file()]
        if not found:
            raise InputError(f"dataset.path={path}: no file matches this pattern")
    else:
        raise InputError(f"dataset.path={start.name}: {absent(start, 'file or folder')}")
    return sorted(found)


def absent(file: Path, what: str) -> str:
    """Return that there is no such file, and what is there under a name like it.

    Args:
        file: The path.
        what: What it should be.
    """
    folder = file.parent
    there = [each.name for each in folder.iterdir()] if folder.is_dir() else []
    close = nearest(file.name, there)
    hint = f"did you mean {' or '.join(close)}?" if close else "give a file that exists"
    return f"no such {what} in {folder.absolute()}; {hint}"


def _is_hidden(file: Path, start: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(start).parts)
