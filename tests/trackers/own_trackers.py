"""Trackers of a user's own, which a child process imports: one that keeps all, three that do not.

Each takes the folder of what it keeps.
"""

import json
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sgdlab.trackers.base import Ending, Record, StepPoint, TrackedRun


class Keeping:
    """Keeps what it gets in a JSON file for each run, named after its identity."""

    extra, package, most_open, pictures = "own", "json", 1000, (".svg",)

    def __init__(self, directory: str, every: int = 1, most_open: int = 1000) -> None:
        self.folder, self.every, self.most_open = Path(directory), every, most_open
        self.studies: list[tuple[str, list[str]]] = []

    def check(self) -> str:
        return str(self.folder)

    def open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)

    def sink(self, run: TrackedRun) -> "KeptRun":
        return KeptRun(self.folder / f"{run.identity}.json", run)

    def study(self, run: TrackedRun, files: Sequence[Path]) -> None:
        self.studies.append((run.study, [file.name for file in files]))

    def close(self) -> None:
        pass


class KeptRun:
    def __init__(self, file: Path, run: TrackedRun) -> None:
        self.file = file
        self.kept: dict[str, Any] = {"name": run.name, "study": run.study, "tags": dict(run.tags),
                                     "settings": dict(run.settings), "points": [], "record": {},
                                     "ending": None, "resets": 0}  # fmt: skip
        if file.is_file():
            self.kept = json.loads(file.read_text())

    def record(self) -> Record:
        return self.kept["record"]

    def reset(self) -> None:
        self.kept |= {"points": [], "record": {}, "ending": None}
        self.kept["resets"] += 1

    def send(self, points: Sequence[StepPoint], record: Record) -> None:
        self.kept["points"] += [list(point) for point in points]
        self.kept["record"] = record
        self._write()

    def end(self, ending: Ending, record: Record) -> None:
        results = dict(ending.results)
        self.kept["ending"] = [ending.status, ending.reason, ending.step, results]
        self.kept["record"] = record
        self._write()

    def close(self) -> None:
        pass

    def _write(self) -> None:
        self.file.write_text(json.dumps(self.kept))


class Hanging(Keeping):
    """Waits for ever where its store is opened."""

    def open(self) -> None:
        time.sleep(3600)


class Failing(Keeping):
    """Raises at the first numbers."""

    def sink(self, run: TrackedRun) -> "KeptRun":
        raise ConnectionError("the store is full")


class Killed(Keeping):
    """Is killed at the first numbers, as by a system out of memory."""

    def sink(self, run: TrackedRun) -> "KeptRun":
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError
