# pyright: reportMissingImports=false, reportMissingTypeStubs=false
"""One run in MLflow: its metrics, how it ended, and how much of it is there."""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from sgdlab.trackers.base import UNCERTAIN, Ending, Record, StepPoint

RECORD = "sgdlab.sent"
"""The tag that says how much of a run is there."""

_MOST = 1000
"""Metrics of one call; MLflow takes no more."""
_ODD = re.compile(r"[^\w\-. /:]")
"""What the names of metrics and parameters may not have."""


def name_of(name: str) -> str:
    """Return a name as MLflow takes it."""
    return _ODD.sub("_", name)[:250]


class MLflowRun:
    """A run in MLflow; how much of it is there is a tag of it.

    The tag says that this is uncertain while metrics are on their way: a process that is killed
    then does not send them twice.
    """

    def __init__(self, client: Any, found: Any, begin: Callable[[], Any]) -> None:
        self._client, self._begin = client, begin
        self._id = "" if found is None else found.info.run_id
        told = "" if found is None else found.data.tags.get(RECORD, "")
        self._record: Record = json.loads(told or "{}")
        self._ended = found is not None and found.info.status != "RUNNING"

    def record(self) -> Record:
        """Return how much of the run is in MLflow."""
        return self._record

    def reset(self) -> None:
        """Delete the run, as MLflow deletes: it can be restored; the next one is another."""
        if self._id:
            self._client.delete_run(self._id)
        self._id, self._record, self._ended = "", {}, False

    def send(self, points: Sequence[StepPoint], record: Record) -> None:
        """Log metrics in batches."""
        from mlflow.entities import Metric

        self._open()
        metrics = [
            Metric(name_of(name), value, int(point.time * 1000), point.step)
            for point in points
            for name, value in point.values.items()
        ]
        self._log(metrics, record)

    def end(self, ending: Ending, record: Record) -> None:
        """Log the results, end the run with a status of MLflow's, and store its pictures."""
        from mlflow.entities import Metric

        self._open()
        time = int(ending.time * 1000)
        for key, value in (("status", ending.status), ("reason", ending.reason)):
            if value:
                self._client.set_tag(self._id, key, value)
        results = ending.results.items()
        own = [Metric(f"summary/{name_of(k)}", v, time, ending.step) for k, v in results]
        for picture in ending.pictures:
            self._client.log_artifact(self._id, str(picture), "figures")
        done = ending.status in ("completed", "stopped")
        self._log(own, record)
        self._client.set_terminated(self._id, "FINISHED" if done else "FAILED", time)
        self._ended = True

    def close(self) -> None:
        """Leave a run that has not ended as one that was killed, until it goes on."""
        if self._id and not self._ended:
            self._client.set_terminated(self._id, "KILLED")
            self._ended = True

    def _open(self) -> None:
        if not self._id:
            self._id = self._begin().info.run_id
        elif self._ended:
            self._client.update_run(self._id, status="RUNNING")
        self._ended = False

    def _log(self, metrics: Sequence[Any], record: Record) -> None:
        from mlflow.entities import RunTag

        self._client.set_tag(self._id, RECORD, json.dumps(UNCERTAIN))
        last = [RunTag(RECORD, json.dumps(record))]
        starts = range(0, max(len(metrics), 1), _MOST)
        for begin in starts:
            tags = last if begin == starts[-1] else []
            self._client.log_batch(self._id, metrics[begin : begin + _MOST], tags=tags)
        self._record = record
