"""Which processes work in a folder: a small file in it says so, and for how long they live."""

import contextlib
import json
import os
import re
import secrets
import socket
import sys
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sgdlab.errors import InputError, writing
from sgdlab.results.lock_file import NO_LINK, LockFile, is_locked

GUARD = ".sgdlab.lock"
"""The file that lists the holders of a folder, locked while they are read or changed; it
goes with the last of them."""

_HEAD = "Processes of sgdlab that write into this folder:"
_TOKEN = re.compile("[0-9a-f]{16}")
leaders: set[str] = set()
"""Tokens of holders that this process works for: what they hold is in nobody's way here."""

_PATIENCE = 60.0  # seconds; the guard is held for about one hundred microseconds
_SHOWN = 120
_LARGEST = 2**24  # bytes


@dataclass
class Holder:
    """A process that works in a folder.

    Attributes:
        token: Names the process, and the lock file that it has as long as it lives.
        host: The machine.
        pid: The number of the process there.
        since: When it began.
        command: Its command line.
        alone: What it holds for itself, as paths relative to the folder; ``.`` is all of it.
        shared: What others may work in, too, each on other runs.
    """

    token: str
    host: str
    pid: int
    since: str
    command: str
    alone: list[str] = field(default_factory=list[str])
    shared: list[str] = field(default_factory=list[str])

    def __str__(self) -> str:
        """Return the holder as a line for a person calls it."""
        command = self.command if len(self.command) <= _SHOWN else f"{self.command[:_SHOWN]}…"
        text = f"process {self.pid} on {self.host} since {self.since} ({command})"
        return "".join(c if c.isprintable() else "?" for c in text)


def this_process() -> Holder:
    """Return a new holder, which is this process."""
    host = socket.gethostname()
    now = datetime.now().astimezone().isoformat(" ", "seconds")
    command = " ".join(" ".join(sys.argv).split())
    return Holder(secrets.token_hex(8), host, os.getpid(), now, command)


class Taken:
    """What some holders hold, to be asked for many paths.

    Args:
        holders: The holders.
    """

    def __init__(self, holders: Iterable[Holder]) -> None:
        self._alone: dict[str, Holder] = {}
        self._below: dict[str, Holder] = {}
        for holder in holders:
            self._alone |= dict.fromkeys(holder.alone, holder)
            for path in (*holder.alone, *holder.shared):
                self._below |= dict.fromkeys(_lineage(path), holder)

    def by(self, path: str, sharing: bool, apart: bool) -> Holder | None:
        """Return who is in the way of holding a path.

        Whoever shares a folder is in nobody's way but his who wants all of it.

        Args:
            path: The path, relative to the folder of the registry.
            sharing: Whether it is to be shared.
            apart: Whether who holds a folder above it does not count.
        """
        for above in () if apart else _lineage(path):
            if (holder := self._alone.get(above)) is not None:
                return holder
        return None if sharing else self._below.get(path)


def _lineage(path: str) -> list[str]:
    """Return a relative path and all folders above it, the uppermost first."""
    if path == ".":
        return ["."]
    parts = path.split("/")
    return [".", *("/".join(parts[:count]) for count in range(1, len(parts) + 1))]


def is_registry(folder: str) -> bool:
    """Say whether somebody holds a folder, or something in it."""
    return os.access(f"{folder}/{GUARD}", os.F_OK)


class Registry:
    """The holders of a folder and of what is in it.

    Args:
        folder: The folder, which exists.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.is_soft = False
        """Whether its file system was found to have no locks."""
        self.tokens: list[str] = []
        """The holders; to be changed while the registry is open."""

    @contextlib.contextmanager
    def opened(self, own: str | None = None) -> Generator[list[Holder]]:
        """Yield the other holders that live: no other process reads or writes meanwhile.

        Args:
            own: The token of this process, if it has one.

        Raises:
            InputError: Another process does not let go of the registry.
        """
        guard = LockFile(f"{self.folder}/{GUARD}")
        if not guard.acquire(_PATIENCE):
            raise InputError(
                f"{guard.path}: locked for {_PATIENCE:.0f} s: if no sgdlab is running, delete it"
            )
        self.is_soft = guard.is_soft
        try:
            before = [line for line in _read(guard.path).split("\n") if _TOKEN.fullmatch(line)]
            self.tokens = [token for token in before if token == own or is_locked(self.file(token))]
            ours = {own, *leaders}
            yield [self._holder(token) for token in self.tokens if token not in ours]
            if self.tokens and self.tokens != before:
                _write(guard.path, "\n".join([_HEAD, *self.tokens, ""]))
        finally:
            guard.release(remove=not self.tokens)

    def file(self, token: str) -> str:
        """Return the file that a holder has locked as long as it lives, with what it holds."""
        return f"{self.folder}/.sgdlab.{token}.lock"

    def write(self, holder: Holder) -> None:
        """Write what this process holds."""
        _write(self.file(holder.token), json.dumps(vars(holder)))

    def _holder(self, token: str) -> Holder:
        try:
            return _checked(json.loads(_read(self.file(token))))
        except (ValueError, TypeError, KeyError):  # locked, and not by us
            return Holder(token, "?", 0, "?", "?", ["."])


def _read(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | NO_LINK | getattr(os, "O_NONBLOCK", 0))
    try:
        return os.read(descriptor, _LARGEST).decode(errors="replace")
    finally:
        os.close(descriptor)


def _write(path: str, content: str) -> None:
    """Write in place: half a file of a process that was killed is that of a dead one.

    Closed, since a network's file system sends it then; never empty, since ext4 waits for the disk
    when a file that was cut to nothing is closed.
    """
    with writing(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | NO_LINK, 0o666)
        try:
            left = memoryview(content.encode())
            while left:
                left = left[os.write(descriptor, left) :]
            os.ftruncate(descriptor, len(content.encode()))
        finally:
            os.close(descriptor)


def _checked(read: dict[str, Any]) -> Holder:
    """Return a holder that was read.

    Raises:
        TypeError: It is none.
    """
    lists = (read["alone"], read["shared"])
    texts = [read[key] for key in ("token", "host", "since", "command")]
    if not all(isinstance(text, str) for text in (*texts, *lists[0], *lists[1])):
        raise TypeError("no holder")
    return Holder(**read)
