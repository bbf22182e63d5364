"""Sends what the runs below some folders have written since it was last looked at."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from sgdlab.results import find_runs
from sgdlab.trackers.base import Record, Sink, StepPoint, TrackedRun, Tracker
from sgdlab.trackers.runs import ending_of, pictures_in, tracked
from sgdlab.trackers.tables import FilePosition, GrowingTable, Row, eval_row, merged, step_row

TABLES = ("evals.csv", "steps.csv")
"""In the order in which they are read: rows of ``steps.csv`` come first into the files, so that
steps never fall behind the evaluation that is sent with them."""

_READ = {"evals.csv": eval_row, "steps.csv": step_row}
_END = "summary.csv"


class Sender:
    """Keeps a tracker up to date with the runs below some folders.

    Args:
        tracker: The tracker, opened.
        roots: The folders.
        alive: Called whenever something was sent: a sign of life.
    """

    def __init__(self, tracker: Tracker, roots: Sequence[Path], alive: Callable[[], None]) -> None:
        self._tracker, self._roots, self._alive = tracker, roots, alive
        self._followed: dict[Path, _Followed] = {}

    def look(self, enough: Callable[[], bool] = lambda: False) -> None:
        """Send what is new.

        Args:
            enough: Asked after each part whether to leave the rest for another time.
        """
        for folder in find_runs(self._roots):
            own = self._followed.setdefault(folder, _Followed(folder, self._tracker.every))
            used = sum(each.sink is not None for each in self._followed.values())
            while own.advance(self._tracker, used < self._tracker.most_open):
                self._alive()
                if enough():
                    return

    def counts(self) -> tuple[int, int]:
        """Return the runs of which something was sent, and all."""
        sent = sum(own.was_sent for own in self._followed.values())
        return sent, len(self._followed)

    def reports(self, own: str | None = None) -> None:
        """Send the report of each study that has one, with its figures.

        Args:
            own: The folder of a report on all runs; by default that in the folder of each study.
        """
        seen: set[str] = set()
        for run in (each.run for each in self._followed.values()):
            if run is None or not run.study or run.study_identity in seen:
                continue
            seen.add(run.study_identity)
            folder = Path(own) if own else run.study_directory / "report"
            page, pictures = folder / "report.html", pictures_in(folder / "figures")
            if page.is_file():
                self._tracker.study(run, [page, *pictures])
                self._alive()

    def close(self) -> None:
        """Leave all runs; those that have not ended go on another time."""
        for own in self._followed.values():
            own.close()
        self._tracker.close()


class _Followed:
    """One run on its way to a tracker."""

    def __init__(self, directory: Path, every: int) -> None:
        self._directory, self._every = directory, every
        self._seen: object = None
        self._tables: dict[str, GrowingTable] = {}
        self._until = 0.0
        self.run: TrackedRun | None = None
        self.sink: Sink | None = None
        self.was_sent = False

    def advance(self, tracker: Tracker, may_open: bool) -> bool:
        """Send a part of what is new; say whether there was anything."""
        now = tuple(_state(self._directory / name) for name in (*TABLES, _END))
        if now == self._seen:
            return False
        ended = now[2] is not None
        if self.sink is not None and any(table.is_another() for table in self._tables.values()):
            self.close()
        can_open = may_open or ended
        if self.sink is None and not (can_open and self._begin(tracker, ended)):
            return False
        assert self.sink is not None
        before = sum(table.position.bytes for table in self._tables.values())
        rows = [row for name in TABLES for row in self._rows(name)]
        record = {name: table.position.text() for name, table in self._tables.items()}
        if rows:
            self.sink.send(self._points(rows), record | {_END: ""})
            self.was_sent = True
        if sum(table.position.bytes for table in self._tables.values()) > before:
            return True
        self._seen = now
        if ended and (ending := ending_of(self._directory)) is not None:
            summary = hashlib.sha256((self._directory / _END).read_bytes()).hexdigest()[:16]
            if self.sink.record().get(_END) != summary:
                self.sink.end(ending, record | {_END: summary})
                self.was_sent = True
            self.close()
        return False

    def close(self) -> None:
        """Leave the run."""
        if self.sink is not None:
            self.sink.close()
        self.sink = None

    def _begin(self, tracker: Tracker, ended: bool) -> bool:
        """Open the run in the tracker, at what was sent before; say whether it can go on."""
        self.run = tracked(self._directory)
        if self.run is None:
            return False
        sink = tracker.sink(self.run)
        record = sink.record()
        found = {name: _position(record, name, self._directory) for name in TABLES}
        if any(position is None for position in found.values()):
            if not ended and _is_shorter(record, self._directory):
                sink.close()  # it goes on from a checkpoint: the rows come again
                return False
            sink.reset()
            found = dict.fromkeys(TABLES)
        self._tables = {
            name: GrowingTable(self._directory / name, position or FilePosition())
            for name, position in found.items()
        }
        for table in self._tables.values():
            table.is_another()
        self._until = self.run.started
        self.sink = sink
        return True

    def _rows(self, name: str) -> list[Row]:
        read = _READ[name]
        found = [made for row in self._tables[name].rows() if (made := read(row)) is not None]
        if name == "steps.csv" and self._every > 1:
            return [row for row in found if row[0] == 1 or row[0] % self._every == 0]
        return found

    def _points(self, rows: Sequence[Row]) -> list[StepPoint]:
        """Return points whose times lie evenly between the last ones and the age of the file."""
        whole = merged(rows)
        age = max((s[1] / 1e9 for n in TABLES if (s := _state(self._directory / n))), default=0.0)
        begin, end = self._until, max(age, self._until)
        self._until = end
        share = (end - begin) / len(whole)
        return [StepPoint(step, begin + share * (k + 1), v) for k, (step, v) in enumerate(whole)]


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


def _position(record: Record, name: str, directory: Path) -> FilePosition | None:
    return FilePosition.at(record[name], directory / name) if record.get(name) else FilePosition()


def _is_shorter(record: Record, directory: Path) -> bool:
    for name in TABLES:
        sent, state = record.get(name, "").partition("-")[0], _state(directory / name)
        if sent.isdigit() and (state is None or state[0] < int(sent)):
            return True
    return False
