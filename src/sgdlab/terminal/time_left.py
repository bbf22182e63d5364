"""How long a sweep still takes, from what runs of each kind have taken."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, TypeVar

_Run = TypeVar("_Run", bound=Hashable)


class TimeLeft(Generic[_Run]):
    """Estimates the rest of a sweep whose runs are of several kinds, such as stacked and alone.

    The time between two ends counts for the kind of the runs that end at the second: kinds train
    one after another. ``left = Σ_kinds remaining · seconds / ended``, less what has passed since
    the last end, at most one run's time. Until a run of every remaining kind has ended nothing is
    known, and nothing is said.

    Args:
        runs: The runs that are to come.
        start: The time at which they start, in seconds.
    """

    def __init__(self, runs: Iterable[_Run], start: float) -> None:
        self._waiting = dict.fromkeys(runs, "")
        self._last = start
        self._seconds: dict[str, float] = {}
        self._ended: dict[str, int] = {}

    def sort(self, kinds: Mapping[_Run, str]) -> None:
        """Take the kinds of runs, which are known only once they are launched."""
        self._waiting |= {run: kind for run, kind in kinds.items() if run in self._waiting}

    def ended(self, runs: Iterable[_Run], now: float) -> None:
        """Take the runs that have ended since the last call."""
        kinds = [self._waiting.pop(run) for run in runs if run in self._waiting]
        if not kinds:
            return
        for kind in kinds:
            self._ended[kind] = self._ended.get(kind, 0) + 1
            share = (now - self._last) / len(kinds)
            self._seconds[kind] = self._seconds.get(kind, 0.0) + share
        self._last = now

    def left(self, now: float) -> float | None:
        """Return the seconds that are left; None: not known."""
        remaining = list(self._waiting.values())
        if any(kind not in self._ended for kind in remaining):
            return None
        each = {kind: self._seconds[kind] / count for kind, count in self._ended.items()}
        under_way = min(now - self._last, max((each[kind] for kind in remaining), default=0.0))
        return max(sum(each[kind] for kind in remaining) - under_way, 0.0)

    def per_run(self) -> float | None:
        """Return the mean seconds of the runs that have ended, of all kinds; None: none has."""
        ended = sum(self._ended.values())
        return sum(self._seconds.values()) / ended if ended else None
