"""What a run stops for between two steps: a word from outside, a limit, a timed checkpoint."""

import contextlib
import math
import signal
import threading
import time
from collections.abc import Iterator
from typing import NoReturn

from sgdlab import signals
from sgdlab.checks import bytes_of
from sgdlab.config.schema import RunConfig
from sgdlab.config.sections import CheckpointConfig, LimitsConfig
from sgdlab.training.environment import PeakMemory

# Seconds between two looks at the memory of the process, which take a tenth of a millisecond.
_LOOK_EVERY = 0.1
# A step that is under way when the time is up may end, so that the checkpoint is that of a step.
_GRACE_SECONDS, _GRACE_SHARE = 1.0, 0.1


BUILDING = 60.0
"""Seconds that a run may be built for whatever its limit is: torch imports half of itself for the
first optimizer, and data may be read."""


class OverTimeError(BaseException):
    """A step did not end though the time of its run was up; raised in the middle of it."""


def steps_between(checkpoint: CheckpointConfig, steps_per_epoch: int) -> int | None:
    """Return the steps between two checkpoints; None where there are none, or by the clock."""
    if checkpoint.every is None or checkpoint.unit == "seconds":
        return None
    return checkpoint.every * (steps_per_epoch if checkpoint.unit == "epochs" else 1)


def exceeded(limits: LimitsConfig, seconds: float, memory: float | None) -> str | None:
    """Return which limit of a run is exceeded, in words; None where none is.

    Args:
        limits: The limits.
        seconds: What the run has taken, evaluations included.
        memory: The peak of its memory in bytes, where it is known.
    """
    if limits.seconds is not None and seconds > limits.seconds:
        return f"limits.seconds={limits.seconds:g}: it has taken {seconds:.1f} s"
    if limits.memory is None or memory is None:
        return None
    if memory > bytes_of("limits.memory", limits.memory):
        return f"limits.memory={limits.memory}: it has taken {memory / 2**30:.3g}G"
    return None


class Pauses:
    """Knows when a run is to stop making steps for a while, or for good.

    Args:
        config: The config of the run, whose clock starts now.
        steps_per_epoch: The steps of an epoch.
        memory: The memory of the run; without it there is no limit to that.
    """

    def __init__(
        self, config: RunConfig, steps_per_epoch: int, memory: PeakMemory | None = None
    ) -> None:
        self._checkpoint, self._limits = config.checkpoint, config.limits
        self._memory = memory if config.limits.memory is not None else None
        self.every = steps_between(config.checkpoint, steps_per_epoch)
        """Steps between two checkpoints, for the loop to count; None where the clock decides."""
        self._start = self._saved = time.monotonic()
        self.over: str | None = None
        """Which limit is exceeded, once one is."""
        # Memory is looked at after the first step already: a short run would end unseen.
        self._next = self._next_look(self._start) if self._memory is None else self._start

    @property
    def saves_at_end(self) -> bool:
        """Whether a run that is told to stop leaves a checkpoint."""
        return self._checkpoint.every is not None or self._checkpoint.final

    def due(self) -> bool:
        """Say after a step whether anything else is to be done than the next one."""
        if signals.asked():
            return True
        if self._next is None or (now := time.monotonic()) < self._next:
            return False
        memory = self._memory.bytes() if self._memory is not None else None
        self.over = exceeded(self._limits, now - self._start, memory)
        self._next = self._next_look(now)
        return self.over is not None or self._by_clock(now)

    def agree(self) -> None:
        """Let other processes of the run know what it stops for: here are none."""

    def save_due(self, step: int) -> bool:
        """Say whether a checkpoint is due after a step."""
        if self.every is not None:
            return step % self.every == 0
        return self._by_clock(time.monotonic())

    def saved(self) -> None:
        """Take note of a checkpoint, whose making does not count for the next one."""
        self._saved = time.monotonic()
        self._next = self._next_look(self._saved)

    def _by_clock(self, now: float) -> bool:
        every = self._checkpoint.every
        if every is None or self._checkpoint.unit != "seconds":
            return False
        return now - self._saved >= every

    def _next_look(self, now: float) -> float | None:
        times = [
            *([self._start + self._limits.seconds] if self._limits.seconds is not None else []),
            *([now + _LOOK_EVERY] if self._memory is not None else []),
        ]
        if self._checkpoint.every is not None and self._checkpoint.unit == "seconds":
            times.append(max(now, self._saved + self._checkpoint.every))
        return min(times, default=None)


@contextlib.contextmanager
def timed(seconds: float | None, what: str = "a step", least: float = 0.0) -> Iterator[None]:
    """End what does not end by itself: raise in the middle of a step where the time is up.

    Works in the main thread, where Python is told of signals, and not within a call of a library
    that never returns to it: that only a process of its own can be ended of, ``isolate=true``.

    Args:
        seconds: ``limits.seconds``; None for no limit.
        what: What the message says was under way.
        least: Seconds that it may take whatever the limit is.

    Raises:
        OverTimeError: The time was up, and `what` did not end in a second and a tenth of it.
    """
    if (
        seconds is None
        or not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return
    most = max(seconds + _GRACE_SECONDS + _GRACE_SHARE * seconds, least)
    start = time.monotonic()

    def end(*_: object) -> NoReturn:
        passed = time.monotonic() - start
        raise OverTimeError(f"limits.seconds={seconds:g}: {what} was not over after {passed:.1f} s")

    before = signal.signal(signal.SIGALRM, end)
    # Again and again: what catches everything and goes on is told once more.
    paused = signal.setitimer(signal.ITIMER_REAL, min(most, math.ldexp(1.0, 30)), 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *paused)
