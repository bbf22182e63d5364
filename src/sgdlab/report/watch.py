"""A report that is written anew while its runs are trained: `Watch`."""

import os
import time
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import Any

from sgdlab.errors import InputError
from sgdlab.report.build import Report
from sgdlab.report.page import unwatched
from sgdlab.results import UNFINISHED, Written, has_run
from sgdlab.results.holders import GUARD
from sgdlab.results.lock import holders_of

EVERY = 5.0
"""Seconds between two looks, and after which a watched page loads itself anew."""

SHARE = 0.1
"""Of the time at most so much goes into the report: the runs want the processor, too."""

_LOOKED_AT = frozenset(("config.yaml", "evals.csv", "study.yaml", "summary.csv"))
"""What changes a report; a run's table of steps grows all the time, and changes little there."""

_State = frozenset[tuple[str, int, int]]


class Watch:
    """Writes a report whenever what it is about has changed, until nothing more is to come.

    It reads, and holds nothing but the folder of the report while it writes there.

    Args:
        roots: Where the runs are.
        out: The folder of the report.
        make: Writes the report; is told after how many seconds the page is to load itself anew, 0
            for one that stays as it is.
        say: Shows a line about what it waits for.
        clock: Returns the time in seconds.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        roots: Sequence[Path],
        out: Path,
        make: Callable[[float], Report],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Any] = time.sleep,
    ) -> None:
        self._roots, self._out, self._make = roots, out, make
        self._say, self._clock, self._sleep = say, clock, sleep
        self._said = ""

    def carry_out(self) -> Report:
        """Watch to the end; return the last report, whose page stays as it is.

        Raises:
            InputError: The report cannot be written.
        """
        self._wait_for_runs()
        before: _State | None = None
        while True:
            is_held, now = self._is_held(), state_of(self._roots, self._out)
            start = self._clock()
            if now != before:
                report, before = self._make(EVERY), now
                self._tell(how_far(report))
            if not is_held and is_over(report):
                break
            if not is_held and not self._is_held():
                self._tell("nobody trains them now: this waits for somebody who goes on with them")
            self._sleep(max(EVERY, (self._clock() - start) * (1 / SHARE - 1)))
        return self._make(0.0)

    def leave(self) -> None:
        """Leave the page as it was last written, but for loading itself anew."""
        path = self._out / "report.html"
        written = Written(self._out)
        if written.holds(path.name):
            page = path.read_text(encoding="utf-8")
            written.write(path.name, unwatched(page))

    def _wait_for_runs(self) -> None:
        for root in self._roots:
            if not root.is_dir():
                raise InputError(f"{root}: no such folder, so there is nothing to watch")
        while not any(map(has_run, self._roots)):
            self._tell("no run has begun there yet: waiting for the first one")
            self._sleep(EVERY)

    def _is_held(self) -> bool:
        """Whether a process trains something there."""
        folders = {
            Path(path).parent
            for root in self._roots
            for path, *_ in _files(root, self._out, (GUARD,))
        }
        try:
            return bool(holders_of([*self._roots, *folders]))
        except OSError:  # of somebody else, whose lock is not ours to ask
            return bool(folders)

    def _tell(self, line: str) -> None:
        if line != self._said:
            self._said = line
            self._say(line)


def state_of(roots: Sequence[Path], out: Path) -> _State:
    """Return name, time and size of all files that a report depends on, those in ``out`` aside."""
    return frozenset(entry for root in roots for entry in _files(root, out, _LOOKED_AT))


def _files(root: Path, out: Path, names: Container[str]) -> Iterator[tuple[str, int, int]]:
    aside, waiting = str(out.resolve()), [str(root.resolve())]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.path != aside:
                            waiting.append(entry.path)
                    elif entry.name in names:
                        found = entry.stat(follow_symlinks=False)
                        yield entry.path, found.st_mtime_ns, found.st_size
        except OSError:  # deleted meanwhile, or not ours to read: whoever reads it says so
            continue


def is_over(report: Report) -> bool:
    """Whether nothing is to come: every run has ended, and every one that a plan names."""
    return not report.analysis.unfinished and not _running(report)


def _running(report: Report) -> int:
    return sum(run["status"] == UNFINISHED for run in report.analysis.runs.rows)


def how_far(report: Report) -> str:
    """Return in a line how many runs have ended, of how many where that is known."""
    shares = [share for p in report.analysis.unfinished for share in p.shares.values()]
    rows = report.analysis.runs.rows
    ended = len(rows) - _running(report)
    if not shares:
        return f"{ended:,} of {len(rows):,} runs that have begun have ended"
    done, planned = (sum(counts) for counts in zip(*shares, strict=True))
    return f"{done:,} of {planned:,} planned runs have ended"
