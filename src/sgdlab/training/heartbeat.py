"""Signs of life of the processes of a run, by which one that is lost is named."""

import contextlib
import os
import threading
import time
from typing import NoReturn

from torch.distributed.distributed_c10d import Store

from sgdlab import signals
from sgdlab.signals import Lost

_BEAT = 0.5
# Told to stop, or with a connection that broke, a process looks who is missing.
_SUSPECT = 3.0
_LOOK = 6.0
_HOW = "torchrun --max-restarts=3 goes on by itself, from the last checkpoint"


class Heartbeat:
    """Tells the others that this process lives, and notices which of them does not.

    A process that hangs in a step, since another is stopped or its machine is gone, is ended after
    the timeout: nothing else would.

    Args:
        store: A store of the run; a client of it that nobody else uses.
        rank: The number of this process.
        size: How many there are.
        timeout: Seconds without a sign after which a process counts as lost.
    """

    def __init__(self, store: Store, rank: int, size: int, timeout: float) -> None:
        self._store, self._rank, self._timeout = store, rank, timeout
        self._others = [other for other in range(size) if other != rank]
        now = time.monotonic()
        self._heard: dict[int, tuple[bytes, float]] = dict.fromkeys(self._others, (b"", now))
        self._reached = now
        self._lock, self._ended = threading.Lock(), threading.Event()
        store.set(f"beat/{rank}", "0")
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin: every process has made its own."""
        now = time.monotonic()
        self._heard: dict[int, tuple[bytes, float]] = dict.fromkeys(self._others, (b"", now))
        self._thread.start()

    def end(self) -> None:
        """Say that this process has ended as it should, and end."""
        self._ended.set()
        with contextlib.suppress(RuntimeError), self._lock:
            self._store.set(f"done/{self._rank}", "1")
        # Inside a call of torch as the interpreter ends, it would take the process along (SIGABRT).
        if self._thread.is_alive():
            self._thread.join(_LOOK)

    def failed(self, reason: str) -> None:
        """Say why this process cannot go on."""
        with contextlib.suppress(RuntimeError), self._lock:
            self._store.set(f"failed/{self._rank}", reason)

    def lost(self, error: BaseException) -> Lost:
        """Return what is said when another process cannot be reached: which one it is.

        Args:
            error: What could not be done.
        """
        end = time.monotonic() + _LOOK
        while not (missing := self._missing(_SUSPECT)) and time.monotonic() < end:
            time.sleep(0.2)
        line = self._line(missing, " ".join(str(error).split())[:200])
        return Lost(line, speaks=bool(missing) and self._is_first_but(missing))

    def _is_first_but(self, missing: list[int]) -> bool:
        return self._rank == min({*self._others, self._rank} - {*missing})

    def _missing(self, silence: float) -> list[int]:
        """Return who has said nothing for so many seconds, or has said that it failed."""
        now = time.monotonic()
        found = [other for other, (_, last) in self._heard.items() if now - last > silence]
        with contextlib.suppress(RuntimeError), self._lock:
            found = [o for o in found if not self._store.check([f"done/{o}"])]
            found += [o for o in self._others if self._store.check([f"failed/{o}"])]
        return sorted({*found})

    def _line(self, missing: list[int], error: str) -> str:
        if not missing:
            return f"another process of the run cannot be reached ({error})"
        reason = f"nothing was heard of it for {_SUSPECT:g} s: killed, or its machine is gone"
        with contextlib.suppress(RuntimeError), self._lock:
            if self._store.check([key := f"failed/{missing[0]}"]):
                reason = self._store.get(key).decode()
        names = f"rank {missing[0]}" if len(missing) == 1 else f"ranks {missing}"
        return f"lost {names} ({reason})"

    def _beat(self) -> None:
        count, asked = 0, 0.0
        while not self._ended.wait(_BEAT):
            count += 1
            with contextlib.suppress(RuntimeError), self._lock:
                self._store.set(f"beat/{self._rank}", str(count))
                said = self._store.multi_get([f"beat/{other}" for other in self._others])
                now = self._reached = time.monotonic()
                for other, beat in zip(self._others, map(bytes, said), strict=True):
                    if beat != self._heard[other][0]:
                        self._heard[other] = beat, now
            now = time.monotonic()
            asked = 0.0 if not signals.asked() else asked or now
            # A process that was told to stop, and waits for one that is gone, has little time.
            hurried = asked and now - asked > 2 * _SUSPECT
            if missing := self._missing(_SUSPECT if hurried else self._timeout):
                self._end_at_once(missing)
            if now - self._reached > self._timeout:
                self._end_at_once([])

    def _end_at_once(self, missing: list[int]) -> NoReturn:
        if self._is_first_but(missing):
            with contextlib.suppress(OSError):
                line = self._line(missing, "torchrun's store is gone")
                os.write(2, f"sgdlab: {line}; {_HOW}\n".encode())
        os._exit(1)
