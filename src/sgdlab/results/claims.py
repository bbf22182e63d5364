"""What this process holds, and how it takes it: at once, or not at all."""

import os
import threading
from collections.abc import Container, Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from sgdlab.results.holders import Holder, Registry, Taken, is_registry, this_process
from sgdlab.results.lock_file import LockFile

_ABOVE = 3
"""Folders above a run that may have a registry: a study's runs are up to two levels down."""

_guard = threading.Lock()


class _Owner:
    """This process among the holders of one folder; known to others while it holds something."""

    def __init__(self, registry: Registry) -> None:
        self.holder = this_process()
        self._life = LockFile(registry.file(self.holder.token))
        self.lives = False
        """Whether it is among the holders."""

    @property
    def token(self) -> str:
        """What names it."""
        return self.holder.token

    def names(self, shared: bool) -> list[str]:
        """Return what it holds."""
        return self.holder.shared if shared else self.holder.alone

    def enter(self, registry: Registry) -> None:
        """Be among the holders of an open registry while there is something to hold."""
        if not (self.holder.alone or self.holder.shared):
            registry.tokens = [token for token in registry.tokens if token != self.token]
            self.leave()
            return
        if not self.lives:
            self.lives = self._life.acquire()
            registry.tokens.append(self.token)
        registry.write(self.holder)

    def leave(self) -> None:
        """Live no more."""
        self._life.release(remove=True)
        self.lives = False


_owners: dict[tuple[int, str], _Owner] = {}
"""Those that hold something, by process, since a forked one is another, and registry."""


def own_files(path: str) -> dict[str, str]:
    """Return the lock files by which this process holds a folder or what it lies in, by token."""
    with _guard:
        mine = [(home, own) for (pid, home), own in _owners.items() if pid == os.getpid()]
    return {
        own.token: Registry(home).file(own.token)
        for home, own in mine
        if own.lives and (path == home or path.startswith(f"{home}{os.sep}"))
    }


class Claim:
    """What was taken of some folders, and who holds the others.

    Args:
        paths: The folders, without links.
        shared: Whether they are shared.
        apart: Whether they have nothing to do with those that they lie in.
    """

    def __init__(self, paths: Iterable[str], shared: bool = False, apart: bool = False) -> None:
        self.refused: dict[str, Holder] = {}
        self.soft = False
        self._kind, self._process = (shared, apart), os.getpid()
        self._taken: dict[str, tuple[_Owner, list[str]]] = {}
        try:
            for home, own in by_registry(paths, apart, first=True).items():
                self._take(home, own)
            # Whoever holds a folder by another registry looks here after it has written there.
            taken = {path: home for home, (_, own) in self._taken.items() for path in own}
            for other, own in by_registry(taken, apart).items():
                self.refused |= asked(other, [p for p in own if taken[p] != other], self._kind)
        except BaseException:
            self.release()
            raise
        self._give(self.refused)

    def _take(self, home: str, paths: Sequence[str]) -> None:
        os.makedirs(home, exist_ok=True)
        registry, key = Registry(home), (self._process, home)
        with _guard:
            if (owner := _owners.get(key)) is None:
                owner = _owners[key] = _Owner(registry)
        with registry.opened(owner.token) as holders:
            self.soft = self.soft or registry.is_soft
            others = Taken(holders)
            found = {path: others.by(_name(path, home), *self._kind) for path in paths}
            free = [path for path, holder in found.items() if holder is None]
            self._taken[home] = (owner, free)
            self.refused |= {path: holder for path, holder in found.items() if holder is not None}
            owner.names(self._kind[0]).extend(_name(path, home) for path in free)
            owner.enter(registry)

    def _give(self, paths: Container[str]) -> None:
        for home, (owner, own) in self._taken.items():
            gone = {_name(path, home) for path in own if path in paths}
            if not gone:
                continue
            self._taken[home] = (owner, [path for path in own if path not in paths])
            names = owner.names(self._kind[0])
            names[:] = [name for name in names if name not in gone]
            try:
                registry = Registry(home)
                with registry.opened(owner.token):
                    owner.enter(registry)
            except OSError:  # the folder was deleted, or the disk is full
                owner.leave()
            if not owner.lives:
                with _guard:
                    _owners.pop((self._process, home), None)

    def release(self) -> None:
        """Hold nothing of it any more; in a forked child it is the parent's."""
        if os.getpid() == self._process:
            self._give({path for _, own in self._taken.values() for path in own})


@contextmanager
def opened(home: str) -> Generator[list[Holder]]:
    """Yield the others that hold something in a folder; nobody else reads or writes meanwhile."""
    owner = _owners.get((os.getpid(), home))
    with Registry(home).opened(owner.token if owner else None) as holders:
        yield holders


def asked(home: str, paths: Sequence[str], kind: tuple[bool, bool]) -> dict[str, Holder]:
    """Return who holds some folders, by a registry."""
    if not paths:
        return {}
    with opened(home) as holders:
        others = Taken(holders)
    found = {path: others.by(_name(path, home), *kind) for path in paths}
    return {path: holder for path, holder in found.items() if holder is not None}


def by_registry(paths: Iterable[str], apart: bool, first: bool = False) -> dict[str, list[str]]:
    """Return the folders whose registries count for some folders, each with these.

    Args:
        paths: The folders.
        apart: Whether each has one of its own, which may be still to come.
        first: Return for each folder that only where it is to be written.
    """
    found: dict[str, list[str]] = {}
    known: dict[str, list[str]] = {}
    for path in paths:
        parent = os.path.dirname(path)
        if parent not in known:
            above = [parent]
            while len(above) < _ABOVE:
                above.append(os.path.dirname(above[-1]))
            above = [each for each in dict.fromkeys(reversed(above)) if each != os.sep]
            known[parent] = [each for each in above if is_registry(each)]
        own = [path] if is_registry(path) or not known[parent] else []
        homes = [*known[parent], *own]
        for home in ([path] if apart else homes[:1]) if first else homes:
            found.setdefault(home, []).append(path)
    return found


def _name(path: str, home: str) -> str:
    return path[len(home) + 1 :] or "."


def real(folder: Path | str) -> str:
    """Return a folder without links; runs lie side by side, so that those above are kept."""
    parent, name = os.path.split(os.path.abspath(folder))
    path = os.path.join(_really(parent), name)
    return os.path.realpath(path) if os.path.islink(path) else path


@lru_cache(maxsize=64)
def _really(parent: str) -> str:
    return os.path.realpath(parent)
