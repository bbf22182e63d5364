"""Being told to stop: the first time after the current step, the second time at once."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

STOPPING = ("SIGINT", "SIGTERM", "SIGUSR1", "SIGHUP")
"""Signals that end a process; schedulers send the second before they kill, SLURM on demand the
third (``--signal=B:USR1@120``), a terminal that is closed the last."""

# Whoever ends a group of processes may reach one of them twice, as ``timeout`` does.
_ONE_REQUEST = 0.2


class Interrupted(KeyboardInterrupt):
    """The process was told to stop.

    Args:
        number: The signal.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number
        self.how: str | None = None
        """How to go on, where whoever was interrupted knows."""

    def __reduce__(self) -> tuple[type["Interrupted"], tuple[int]]:
        """Let a worker process say it to the one that waits for it."""
        return type(self), (self.number,)

    @property
    def code(self) -> int:
        """The exit code of the process, as shells have it."""
        return 128 + self.number


class Lost(Interrupted):
    """Another process of the run has ended, or is no longer heard: this one cannot go on.

    Args:
        line: What is said of it.
        speaks: Whether this process says it, of those that are left.
    """

    def __init__(self, line: str, speaks: bool = True) -> None:
        super().__init__()
        self.line, self.speaks = line, speaks

    @property
    def code(self) -> int:
        """The exit code of the process: the run has failed."""
        return 1


class _Request:
    """What this process was told, and whether it is within something that ends by itself."""

    def __init__(self) -> None:
        self.handled = False
        self.ends_process = True
        self.number: int | None = None
        self.since = 0.0
        self.waiting = 0
        self.tells_children = False
        self.lock = threading.Lock()


_request = _Request()


threads_end = threading.Event()
"""Set when what trains in other threads is to end as if the process had been told to stop."""


def asked() -> bool:
    """Say whether the process was told to stop: whoever makes steps ends after the current one."""
    return _request.number is not None or threads_end.is_set()


def number_asked() -> int | None:
    """Return the signal by which the process was told to stop, if it was."""
    return _request.number


def ask(number: int) -> None:
    """Tell the process to stop, as another one of its run was told."""
    if _request.number is None:
        _request.number, _request.since = number, time.monotonic()


def stop_if_asked() -> None:
    """Stop here, if the process was told to.

    Raises:
        Interrupted: It was.
    """
    if asked():
        raise Interrupted(_request.number or signal.SIGINT)


def is_real(error: BaseException) -> bool:
    """Say whether an exception is how the process stops, not what a user's part has raised."""
    if isinstance(error, Interrupted):
        return True
    return isinstance(error, KeyboardInterrupt) and not _request.handled


@contextlib.contextmanager
def at_a_step() -> Iterator[None]:
    """Wait in the block for the end of a step, which looks at `asked`, before stopping.

    Raises:
        Interrupted: The process was told to stop, and the block has ended all the same.
    """
    stop_if_asked()
    with _request.lock:
        _request.waiting += 1
    try:
        yield
    finally:
        with _request.lock:
            _request.waiting -= 1
    stop_if_asked()


@contextlib.contextmanager
def at_a_step_of_children() -> Iterator[None]:
    """Wait in the block for processes that this one has started, and pass on what it is told.

    Raises:
        Interrupted: The process was told to stop, and they have stopped.
    """
    before, _request.tells_children = _request.tells_children, True
    try:
        with at_a_step():
            yield
    except Exception:
        stop_if_asked()  # one that had nothing to do has just ended
        raise
    finally:
        _request.tells_children = before


@contextlib.contextmanager
def handled(ends_process: bool = True) -> Iterator[None]:
    """Handle in the block the signals that end a process; one that is ignored stays so.

    Args:
        ends_process: Whether the process is ours: the second request then ends it at once. In a
            person's notebook or program only Ctrl-C counts, and the second one raises at once.
    """
    if threading.current_thread() is not threading.main_thread() or _request.handled:
        yield
        return
    names = STOPPING if ends_process else STOPPING[:1]
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {n: signal.getsignal(n) for n in numbers}
    own = [n for n, handler in before.items() if handler not in (signal.SIG_IGN, None)]
    for number in own:
        signal.signal(number, _told)
    _request.handled, _request.number = True, None
    _request.ends_process = ends_process
    try:
        yield
    finally:
        _request.handled, _request.number = False, None
        for number in own:
            signal.signal(number, before[number])


def _told(number: int, _: FrameType | None) -> None:
    now = time.monotonic()
    if _request.number is not None:
        if now - _request.since > _ONE_REQUEST:
            if not _request.ends_process:
                raise Interrupted(number)
            _end_at_once(number)
        return
    _request.number, _request.since = number, now
    if _request.tells_children:
        for child in _children():
            with contextlib.suppress(OSError):
                os.kill(child.pid, number)
    if not _request.waiting:
        raise Interrupted(number)


def _end_at_once(number: int) -> None:
    """End without another word of Python's: what hangs may be in the way of an exception."""
    with contextlib.suppress(OSError, ValueError):
        os.write(sys.__stderr__.fileno() if sys.__stderr__ else 2, b"sgdlab: ended at once\n")
    for child in _children():
        child.kill()
    os._exit(128 + number)


def _children() -> list[Any]:
    """Return the processes that a pool of this one has started."""
    processes = sys.modules.get("multiprocessing.process")
    return [] if processes is None else processes.active_children()
