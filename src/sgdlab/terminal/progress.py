"""Live progress of many runs on stderr: a bar on a terminal, sparse plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from sgdlab.errors import InputError
from sgdlab.results import COMPLETED, DIVERGED, FAILED, STOPPED, Cell, read_summary
from sgdlab.results.packed import found as packed_run
from sgdlab.terminal.live_line import LiveLine, clock
from sgdlab.terminal.numbers import number
from sgdlab.terminal.quiet import is_quiet
from sgdlab.terminal.time_left import TimeLeft


class NoDisplay:
    """Shows nothing, for runs inside a sweep."""

    def step(self, step: int, loss: float, lr: float, grad_norm: float) -> None:
        """Ignore a step."""

    def evaluated(self, metric: float) -> None:
        """Ignore an evaluation."""


class Board(Protocol):
    """What is shown above the progress of a sweep, and takes its runs as they end."""

    def add(self, summary: Mapping[str, Cell]) -> None: ...  # noqa: D102

    def to_come(self) -> int: ...  # noqa: D102

    def lines(self, width: int, height: int) -> Sequence[str]: ...  # noqa: D102


boards: list[Board] = []
"""Those that are shown now, the last one on top of the sweep under way."""


class SweepDisplay:
    """Shows how far a sweep is by watching for summaries, whatever launcher runs it.

    Args:
        title: The word before the bar.
        directories: The folders of the runs that are still to come.
        done: How many runs were finished before.
    """

    def __init__(self, title: str, directories: Sequence[Path], done: int = 0) -> None:
        self._line = LiveLine()
        self._waiting = set(directories)
        self._total = len(directories) + done
        self._skipped = done
        self._title = title
        self._counts = {STOPPED: 0, DIVERGED: 0, FAILED: 0}
        self._completed = 0
        self._best: float | None = None
        self._start = time.monotonic()
        self._reported = done
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._time = TimeLeft(self._waiting, self._start)

    def __enter__(self) -> "SweepDisplay":
        self._line.start()
        _shown.append(self)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._look()
        self._line.stop()
        _shown.remove(self)

    def sort(self, kinds: Mapping[Path, str]) -> None:
        """Take the kinds of the runs, of which each has a speed of its own."""
        self._time.sort(kinds)

    def _watch(self) -> None:
        took = 0.0
        while not self._end.wait(max(0.5, 20 * took)):  # of many runs a look costs more
            start = time.monotonic()
            self._look()
            took = time.monotonic() - start

    def _look(self) -> None:
        # In order, by which those that are packed lie beside each other.
        ended = sorted(directory for directory in self._waiting if _has_ended(directory))
        for directory in ended:
            self._waiting.discard(directory)
            try:
                self._count(read_summary(directory) or {})
            except InputError:
                continue  # still counts as ended; whoever reads the results reports the damage
        now = time.monotonic()
        self._time.ended(ended, now)
        left = self._time.left(now)
        done = self._total - len(self._waiting)
        if self._line.live:
            above = self._above(left)
            self._line.draw(self._title, done, self._total, left, self._state(), above)
        elif (
            not is_quiet()
            and done > self._reported
            and (done - self._reported >= self._total / 20 or done == self._total)
        ):
            self._reported = done
            timing = f"{now - self._start:.0f} s"
            timing += "" if left is None else f", about {left:.0f} s left"
            print(
                f"{self._title} {done}/{self._total}  {'  '.join(self._state())}  {timing}",
                file=sys.stderr, flush=True,
            )  # fmt: skip

    def _above(self, left: float | None) -> list[str]:
        """Return what the searches of a comparison have found, and when it will be at its end."""
        if not boards:
            return []
        size = self._line.console.size
        lines = list(boards[-1].lines(size.width, size.height - 3))
        rate = self._time.per_run()
        # Runs of a stack that diverge end before all others, and tell nothing of those.
        if self._completed and left is not None and rate is not None:
            later = max(0, boards[-1].to_come() - len(self._waiting))
            ended = self._total - self._skipped - len(self._waiting)
            mean = f"{number(rate, 2)} s a run, the mean of {ended}"
            lines.append(f"about {clock(left + later * rate)} left for all phases ({mean})")
        return lines

    def _count(self, summary: dict[str, Cell]) -> None:
        for board in boards:
            board.add(summary)
        status = str(summary.get("status"))
        self._completed += status == COMPLETED
        if status in self._counts:
            self._counts[status] += 1
        loss = summary.get("final_val_loss")
        if isinstance(loss, float) and (self._best is None or loss < self._best):
            self._best = loss

    def _state(self) -> list[str]:
        bad = (f"{count} {status}" for status, count in self._counts.items() if count)
        return [f"best val loss {number(self._best)}", *bad]


def _has_ended(directory: Path) -> bool:
    return (directory / "summary.csv").is_file() or packed_run(str(directory)) is not None


_shown: list[SweepDisplay] = []


def sort_runs(kinds: Mapping[Path, str]) -> None:
    """Tell the sweep that is shown which runs train in the same way, so that one times the others.

    Args:
        kinds: A word for the kind of each run, by its folder.
    """
    for display in _shown:
        display.sort(kinds)
