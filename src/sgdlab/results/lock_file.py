"""A lock of the operating system on a file: it ends with the process that has it."""

import contextlib
import errno
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import SoftFileLock

_UNSUPPORTED = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
"""What file systems answer that have no such locks."""

NO_LINK: int = getattr(os, "O_NOFOLLOW", 0)
"""The flag that follows no link, where the system has one."""

_IN_USE = (PermissionError,) if os.name == "nt" else ()
"""What Windows answers that removes no open file: the next one to lock it removes it."""

_SOFT = ".soft"
_BETWEEN_TRIES = 0.002

_locked: set[int] = set()
"""Descriptors of this process that have a lock."""


def _forget_locks() -> None:
    """Close the descriptors that a forked child has inherited: a lock lives as long as one does."""
    for descriptor in _locked:
        os.close(descriptor)
    _locked.clear()


if hasattr(os, "register_at_fork"):  # Windows forks nothing
    os.register_at_fork(after_in_child=_forget_locks)


class LockFile:
    """A file that one process at a time can lock, on a network's file system, too.

    Where the file system has no locks, the existence of a second file is the lock: that of a
    process which has died is seen on its own machine only.

    Args:
        path: The file; made when missing.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._process = os.getpid()
        self._soft: SoftFileLock | None = None

    @property
    def is_soft(self) -> bool:
        """Whether the file system has no locks."""
        return self._soft is not None

    def acquire(self, seconds: float = 0.0) -> bool:
        """Lock the file, and say whether that worked.

        Args:
            seconds: How long to wait while another process has it.
        """
        until = time.monotonic() + seconds
        while (got := self._try()) is False and time.monotonic() < until:
            time.sleep(_BETWEEN_TRIES)
        return self._acquire_soft(seconds) if got is None else got

    def _try(self) -> bool | None:
        """Try once; None: the file system has no locks."""
        from filelock import lock_descriptor  # commands that only read do without

        # No link is followed: what it points to is nothing of ours.
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | NO_LINK, 0o666)
        locked = False
        try:
            locked = lock_descriptor(descriptor, blocking=False)
            # One that was deleted in between excludes nobody.
            locked = locked and _is_still(self.path, descriptor)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            return None
        finally:
            if locked:
                self._descriptor = descriptor
                _locked.add(descriptor)
            else:
                os.close(descriptor)
        return locked

    def _acquire_soft(self, seconds: float) -> bool:
        from filelock import SoftFileLock, Timeout

        lock = SoftFileLock(self.path + _SOFT, timeout=seconds)
        try:
            lock.acquire()
        except Timeout:
            return False
        self._soft = lock
        return True

    def release(self, remove: bool = False) -> None:
        """Unlock the file; in a forked child nothing happens, the lock is its parent's.

        Args:
            remove: Whether the file goes, too. Whoever has opened it already sees that.
        """
        if os.getpid() != self._process:
            return
        if self._descriptor is not None:
            from filelock import unlock_descriptor

            if remove:
                with contextlib.suppress(FileNotFoundError, *_IN_USE):
                    os.unlink(self.path)
            # A child that was forked in this very moment may have the descriptor still.
            unlock_descriptor(self._descriptor)
            _locked.discard(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None
        if self._soft is not None:
            if remove:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path)
            self._soft.release()
            self._soft = None


def _is_still(path: str, descriptor: int) -> bool:
    """Say whether a file is the one that was opened; opened anew, so that a server is asked."""
    try:
        again = os.open(path, os.O_RDONLY | NO_LINK)
    except FileNotFoundError:
        return False
    try:
        return os.path.sameopenfile(again, descriptor)
    finally:
        os.close(again)


def is_locked(path: str) -> bool:
    """Say whether a living process has a lock file; one that nobody has is deleted."""
    if not os.path.lexists(path):
        return False
    lock = LockFile(path)
    if not lock.acquire():
        return True
    lock.release(remove=True)
    return False
