"""The process of one tracker: ``python -m sgdlab.trackers.follow``, told what to do on stdin.

It writes to standard output a dot for every sign of life, and last ``sent N M``: runs of which
something was sent, and all; or ``failed REASON``.
"""

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sgdlab.errors import InputError, reason_of
from sgdlab.trackers.sender import Sender
from sgdlab.trackers.settings import lock_file, tracker_of

BETWEEN_LOOKS = 1.0
"""Seconds; more where looking itself takes long: at most a twentieth of a core's time."""

_NICE = 15
"""Of the thread that follows: where all cores train, it has a thirtieth of one at the most."""


def main() -> int:
    """Follow runs until told to end; return 0, or 1 where the tracker failed."""
    told: dict[str, Any] = json.loads(sys.stdin.readline())
    voice = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # what packages print is none of what is said here
    sys.path += [place for place in told["path"] if place not in sys.path]

    def say(line: str) -> None:
        with contextlib.suppress(OSError):
            print(line, file=voice)

    return _reported(say, lambda: _follow(told, say))


def _reported(say: Callable[[str], None], work: Callable[[], None]) -> int:
    """Do something; return 0, or 1 where it failed, which is said."""
    try:
        work()
    except Exception as error:  # whatever the tracker's package raises
        text = str(error) if isinstance(error, InputError) else reason_of(error)
        say(f"failed {' '.join(text.split())}")
        return 1
    return 0


def _follow(told: dict[str, Any], say: Callable[[str], None]) -> None:
    roots = [Path(root) for root in told["roots"]]
    lock = FileLock(lock_file(told["name"], told["section"], roots), thread_local=False)
    tracker = tracker_of(told["name"], told["section"])
    tracker.open()
    sender = Sender(tracker, roots, lambda: say("."))
    end = threading.Event()

    def keep_up() -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while not end.is_set():
            begin = time.monotonic()
            if _is_free(lock):
                sender.look(end.is_set)
            end.wait(max(BETWEEN_LOOKS, 20 * (time.monotonic() - begin)))

    def keep_up_or_say() -> None:
        if failed := _reported(say, keep_up):
            os._exit(failed)

    if told["report"] is None:
        follower = threading.Thread(target=keep_up_or_say, daemon=True)
        follower.start()
        sys.stdin.readline()  # or its end, where who could tell is gone
        end.set()
        follower.join()
    # What is left is sent in this thread, at full speed: the runs have ended.
    if _is_free(lock):
        sender.look()
        sender.reports(told["report"])
        sender.close()
    say("sent {} {}".format(*sender.counts()))


def _is_free(lock: FileLock) -> bool:
    """Say whether no other command follows the same runs, which would send them."""
    with contextlib.suppress(Timeout):
        lock.acquire(timeout=0) if not lock.is_locked else None
    return lock.is_locked


if __name__ == "__main__":
    os._exit(main())  # at the end of an interpreter, threads of packages take seconds
