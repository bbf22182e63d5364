"""Which files of a folder sgdlab has written: it replaces and deletes no others."""

import hashlib
import os
import stat
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path, PurePosixPath
from typing import Self

from sgdlab.errors import InputError, writing
from sgdlab.results.parts import open_part
from sgdlab.results.write import atomic_write, encoded

RECORD = "written.sha256"
"""Name of the record: a line per file, as the tool ``sha256sum`` writes and checks them."""

OTHER_FOLDER = "move it, or choose another hydra.run.dir"

_HEAD = b"# What sgdlab wrote here. Files that are not as in this list are yours, and left alone.\n"
_NEAR = 4096
_MOST = 2**24
"""Bytes of a record at most: a hundred thousand files."""


class Written:
    """The files that sgdlab has written into a folder, as its record tells.

    A file is sgdlab's as long as its content is one that sgdlab has written under its name, so that
    what a kill leaves half replaced is known, too.

    Args:
        folder: The folder, which may be missing.
        remedy: What a refusal offers.
    """

    def __init__(self, folder: Path, remedy: str = OTHER_FOLDER) -> None:
        self.folder = folder
        self._remedy = remedy
        self._known: dict[str, list[str]] = {}
        self._read()

    def _read(self) -> None:
        content = beginning(self.folder / RECORD, _MOST)
        if content is None:
            return
        if not content.startswith(_HEAD):
            raise self._refusal(self.folder / RECORD, "not written by sgdlab")
        for line in content.decode(errors="replace").splitlines()[1:]:
            digest, _, name = line.partition("  ")
            if len(digest) == 64 and _is_below(name):
                self._known.setdefault(name, []).append(digest)

    @property
    def names(self) -> list[str]:
        """Names of the files that were ever recorded and not dropped."""
        return list(self._known)

    def holds(self, name: str) -> bool:
        """Say whether a file is there, and as sgdlab has written it."""
        return self._wrong_parent(name) is None and _digest(self.folder / name) in self._known.get(
            name, ()
        )

    def refuse_others(
        self, names: Iterable[str], is_ours: Callable[[str], bool] = lambda name: False
    ) -> None:
        """Refuse to replace files that are not sgdlab's, or to write through a link.

        Args:
            names: What is to be written, relative to the folder.
            is_ours: Whether a file that no record has heard of is of sgdlab all the same: one of an
                older version, or of a process that was killed.

        Raises:
            InputError: Names the first file and says what is wrong.
        """
        there = next(path for path in (self.folder, *self.folder.parents) if os.path.lexists(path))
        if not there.is_dir():
            raise InputError(f"{there}: {_kind(there)}, not a folder; {self._remedy}")
        for name in names:
            path = self.folder / name
            if (parent := self._wrong_parent(name)) is not None:
                raise self._refusal(parent, _kind(parent))
            if not os.path.lexists(path):
                continue
            if path.is_symlink() or not path.is_file():
                raise self._refusal(path, _kind(path))
            if name not in self._known and is_ours(name):
                continue
            if not self.holds(name):
                was = "changed since sgdlab wrote it" if name in self._known else "not sgdlab's"
                raise self._refusal(path, was)

    def _wrong_parent(self, name: str) -> Path | None:
        """Return a folder between the own one and a file that is a link, or no folder."""
        for parent in list(PurePosixPath(name).parents)[-2::-1]:
            path = self.folder / parent
            if path.is_symlink() or (path.exists() and not path.is_dir()):
                return path
        return None

    def _refusal(self, path: Path, what: str) -> InputError:
        return InputError(f"{path}: {what}, so it is not replaced; {self._remedy}")

    def add(self, digests: Mapping[str, str]) -> None:
        """Record what is about to be written, or has just been: names and their hashes."""
        new = {n: digest for n, digest in digests.items() if digest not in self._known.get(n, ())}
        if not new:
            return
        lines = "".join(f"{digest}  {name}\n" for name, digest in new.items()).encode()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        with os.fdopen(os.open(self.folder / RECORD, flags, 0o666), "ab") as file:
            file.write(lines if file.tell() else _HEAD + lines)
        for name, digest in new.items():
            self._known.setdefault(name, []).append(digest)

    def write(self, name: str, content: str) -> None:
        """Replace one file, about which `refuse_others` was asked."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.add({name: hashlib.sha256(encoded(content)).hexdigest()})
        atomic_write(self.folder / name, content)

    def shorten(self, digests: Mapping[str, str]) -> None:
        """Forget files that are gone, and what those had in them that were written anew."""
        there = {n: own for n, own in self._known.items() if os.path.lexists(self.folder / n)}
        self._known = {n: [digests[n]] if n in digests else own for n, own in there.items()}
        lines = [f"{digest}  {name}\n" for name, own in self._known.items() for digest in own]
        atomic_write(self.folder / RECORD, _HEAD.decode() + "".join(lines))

    @contextmanager
    def replacing(self, names: Iterable[str], is_ours: Callable[[str], bool]) -> Generator[None]:
        """Delete files of an earlier time, and record those that come instead.

        Raises:
            InputError: One is not sgdlab's; see `refuse_others`.
        """
        names = list(names)
        self.refuse_others(names, is_ours)
        for name in names:
            (self.folder / name).unlink(missing_ok=True)
        if not self._known.keys().isdisjoint(names):
            self.shorten({})  # a kill leaves files that no record has heard of
        try:
            yield
        finally:
            found = {name: _digest(self.folder / name) for name in names}
            self.add({name: digest for name, digest in found.items() if digest})


class Replacement:
    """Files that come into a folder together, after all have been made: all of them, or none.

    Args:
        written: What sgdlab has written there.
    """

    def __init__(self, written: Written) -> None:
        self._written = written
        self._parts: dict[str, str] = {}
        self._digests: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for part in self._parts.values():
            Path(part).unlink(missing_ok=True)

    def write(self, name: str, content: str | bytes) -> None:
        """Make a file, which takes its place in `commit`."""
        path = self._written.folder / name
        data = encoded(content) if isinstance(content, str) else content
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with open_part(path) as file:
                self._parts[name] = file.name
                file.write(data)
        self._digests[name] = hashlib.sha256(data).hexdigest()

    def commit(self, is_own: Callable[[str], bool]) -> None:
        """Put all files into their places, and delete those of an earlier time that are no more.

        Args:
            is_own: Whether a name is one that comes in this way: no others are deleted.
        """
        written = self._written
        stale = [name for name in written.names if is_own(name) and name not in self._digests]
        written.add(self._digests)
        for name, part in list(self._parts.items()):
            os.replace(part, written.folder / name)
            del self._parts[name]
        for name in stale:
            if written.holds(name):
                (written.folder / name).unlink()
        written.shorten(self._digests)


def shows(path: Path | str, marks: Iterable[bytes], whole: bool = False) -> bool:
    """Say whether a regular file has one of some marks near its beginning, or anywhere."""
    content = beginning(path, _MOST if whole else _NEAR)
    return content is not None and any(mark in content for mark in marks)


def beginning(path: Path | str, most: int = _NEAR) -> bytes | None:
    """Return the first bytes of a regular file; None where there is none, or it cannot be read."""
    with _opened(path) as file:
        return None if file is None else file.read(most)


def _digest(path: Path | str) -> str | None:
    with _opened(path) as file:
        return None if file is None else hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _opened(path: Path | str) -> Generator[FileIO | None]:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        found = os.open(path, flags)
    except OSError:
        yield None
        return
    if not stat.S_ISREG(os.fstat(found).st_mode):
        os.close(found)
        yield None
        return
    with os.fdopen(found, "rb", buffering=0) as file:
        yield file


def _is_below(name: str) -> bool:
    parts = name.split("/")
    return bool(name) and not os.path.isabs(name) and not {"", ".", ".."} & set(parts)


def _kind(path: Path) -> str:
    if path.is_symlink():
        return "a link"
    return "a folder" if path.is_dir() else "a file" if path.is_file() else "no regular file"
