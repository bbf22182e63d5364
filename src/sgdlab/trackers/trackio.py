# pyright: reportMissingImports=false, reportMissingTypeStubs=false
# pyright: reportAttributeAccessIssue=false
"""Trackio: a project in a SQLite file of its own, runs grouped by study."""

import json
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sgdlab.trackers.base import UNCERTAIN, Ending, Record, StepPoint, TrackedRun
from sgdlab.trackers.settings import require_folder

_MOST = 1000
"""Points of one transaction."""


class Trackio:
    """Writes to Trackio's local store, as ``trackio show`` shows it.

    Args:
        directory: The folder of the store; None: Trackio's own, where ``trackio show`` looks.
        project: The project.
        every: Steps between those that are sent of ``steps.csv``; evaluations are all sent.
    """

    extra, package, most_open = "trackio", "trackio", 1_000_000
    pictures = (".png",)

    def __init__(
        self, directory: str | None = None, project: str = "sgdlab", every: int = 1
    ) -> None:
        self._root = None if directory is None else Path(str(directory))
        self._project, self.every = str(project), every

    def check(self) -> str:
        """Return the folder.

        Raises:
            InputError: It cannot be written.
        """
        if self._root is not None:
            require_folder("logger.trackio.directory", self._root)
        return str(self._root or "Trackio's own folder")

    def open(self) -> None:
        """Import Trackio, with its store where it is to be."""
        if self._root is not None:
            os.environ["TRACKIO_DIR"] = str(self._root.absolute())
        from trackio.sqlite_storage import SQLiteStorage

        SQLiteStorage.init_db(self._project)

    def sink(self, run: TrackedRun) -> "TrackioRun":
        """Return the run in Trackio that is that of a folder."""
        about = {**run.tags, **run.settings, "directory": str(run.directory)}
        return TrackioRun(self._project, run.name, run.identity, about | {"_Group": run.group})

    def study(self, run: TrackedRun, files: Sequence[Path]) -> None:
        """Store the pictures of a study's report as a run of their own in its group."""
        shown = [path for path in files if path.suffix in self.pictures]
        if shown:
            about = {"study": run.study, "_Group": run.group}
            name = f"report-{run.study}"
            own = TrackioRun(self._project, name, f"report{run.study_identity}", about)
            own.reset()
            own.pictures(shown, 0, max(path.stat().st_mtime for path in shown))

    def close(self) -> None:
        """Nothing is open."""


class TrackioRun:
    """A run in Trackio; how much of it is there is told by a file beside the store."""

    def __init__(self, project: str, name: str, identity: str, about: dict[str, Any]) -> None:
        from trackio.utils import TRACKIO_DIR

        self._project, self._name, self._identity, self._about = project, name, identity, about
        self._told = Path(TRACKIO_DIR) / "sgdlab" / f"{identity}.json"
        self._points = self._stored()

    def record(self) -> Record:
        """Return how much of the run is in the store; uncertain where it has other points."""
        try:
            told = json.loads(self._told.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            told = {"points": 0, "record": {}}
        return told["record"] if told["points"] == self._points else UNCERTAIN

    def reset(self) -> None:
        """Delete the run."""
        from trackio.sqlite_storage import SQLiteStorage

        self._told.unlink(missing_ok=True)
        SQLiteStorage.delete_run(self._project, self._name, run_id=self._identity)
        self._points = 0

    def send(self, points: Sequence[StepPoint], record: Record) -> None:
        """Store points."""
        for begin in range(0, len(points), _MOST):
            own = points[begin : begin + _MOST]
            self._log([p.values for p in own], [p.step for p in own], [p.time for p in own])
        self._tell(record)

    def end(self, ending: Ending, record: Record) -> None:
        """Store the results and pictures as values of the last step."""
        results: dict[str, Any] = {f"summary/{k}": v for k, v in ending.results.items()}
        told = {"status": ending.status, "reason": ending.reason}
        self._about |= {key: value for key, value in told.items() if value}
        self._log([results], [ending.step], [ending.time])
        self.pictures([p for p in ending.pictures if p.suffix == ".png"], ending.step, ending.time)
        self._tell(record)

    def pictures(self, paths: Sequence[Path], step: int, time: float) -> None:
        """Store pictures as values of a step."""
        if not paths:
            return
        import trackio

        made: dict[str, Any] = {}
        for path in paths:
            image = trackio.Image(path, caption=path.stem)
            image._save(self._project, self._name, step)
            made[f"figures/{path.stem}"] = image._to_dict()
        self._log([made], [step], [time])

    def close(self) -> None:
        """Nothing is open."""

    def _log(self, values: list[dict[str, Any]], steps: list[int], times: Sequence[float]) -> None:
        from trackio.sqlite_storage import SQLiteStorage

        SQLiteStorage.bulk_log(
            project=self._project, run=self._name, metrics_list=values, steps=steps,
            timestamps=[datetime.fromtimestamp(t, UTC).isoformat() for t in times],
            config=self._about, run_id=self._identity,
        )  # fmt: skip
        self._points += len(values)

    def _tell(self, record: Record) -> None:
        self._told.parent.mkdir(parents=True, exist_ok=True)
        part = self._told.with_suffix(".part")
        part.write_text(json.dumps({"points": self._points, "record": record}), encoding="utf-8")
        part.replace(self._told)

    def _stored(self) -> int:
        from trackio.sqlite_storage import SQLiteStorage

        path = SQLiteStorage.get_project_db_path(self._project)
        with closing(sqlite3.connect(path, timeout=30)) as database:
            count = "SELECT COUNT(*) FROM metrics WHERE run_id = ?"
            return database.execute(count, (self._identity,)).fetchone()[0]
