# pyright: reportMissingImports=false, reportMissingTypeStubs=false
"""MLflow: one experiment, a parent run per study, its runs below it."""

import json
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from sgdlab.errors import InputError
from sgdlab.trackers.base import UNCERTAIN, TrackedRun
from sgdlab.trackers.mlflow_run import RECORD, MLflowRun, name_of
from sgdlab.trackers.settings import require_folder
from sgdlab.visible import without_password

_IDENTITY = "sgdlab.identity"
_LONGEST = 6000
"""Characters of a parameter."""
_PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
"""Of the servers that keep runs."""


class MLflow:
    """Sends to an MLflow server, or to a SQLite file or a folder as ``mlflow ui`` shows it.

    Args:
        uri: The tracking URI; None: ``MLFLOW_TRACKING_URI``, else ``sqlite:///mlflow.db``.
        experiment: The name of the experiment.
        every: Steps between those that are sent of ``steps.csv``; evaluations are all sent.
    """

    extra, package, most_open = "mlflow", "mlflow", 1_000_000
    pictures = (".svg", ".png")

    def __init__(self, uri: str | None = None, experiment: str = "sgdlab", every: int = 1) -> None:
        self._uri = str(uri or os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db")
        self._name, self.every = str(experiment), every
        self._client: Any = None
        self._runs: dict[str, Any] = {}
        self._began: set[str] = set()
        self._experiment = ""

    def check(self) -> str:
        """Return the URI.

        Raises:
            InputError: Nobody answers there, or the file cannot be written.
        """
        key, parts = "logger.mlflow.uri", urlsplit(self._uri)
        given = f"{key}={without_password(self._uri)}"
        if not self._name.strip():
            raise InputError("logger.mlflow.experiment: empty; name one, such as sgdlab")
        kind = parts.scheme.partition("+")[0]
        if kind in _PORTS:
            address = parts.hostname or "", _port(parts) or _PORTS[kind]
            try:
                socket.create_connection(address, timeout=3).close()
            except OSError as error:
                raise InputError(f"{given}: nobody answers: {error}") from error
        elif self._uri.startswith("sqlite:///"):
            require_folder(key, self._file.parent)
            if self._file.is_dir():
                raise InputError(f"{given}: is a folder; name a file, sqlite:///mlflow.db")
            if self._file.exists() and not os.access(self._file, os.W_OK):
                raise InputError(f"{given}: {self._file} cannot be written")
        elif kind != "databricks":
            why = (
                "MLflow keeps no new runs in folders"
                if kind in ("", "file")
                else "no URI of MLflow"
            )
            raise InputError(
                f"{given}: {why}; name a SQLite file, sqlite:///mlflow.db, or a server, "
                "http://HOST:5000"
            )
        return self._uri

    @property
    def _file(self) -> Path:
        return Path(self._uri.removeprefix("sqlite:///"))

    def open(self) -> None:
        """Import MLflow, reach the store, and make the experiment."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        from mlflow.tracking import MlflowClient

        place = None
        if self._uri.startswith("sqlite:///"):
            self._file.absolute().parent.mkdir(parents=True, exist_ok=True)
            place = (self._file.absolute().parent / "mlartifacts").as_uri()
        self._client = MlflowClient(tracking_uri=self._uri)
        found = self._client.get_experiment_by_name(self._name)
        if found is None:
            made = self._client.create_experiment(self._name, artifact_location=place)
        elif found.lifecycle_stage != "active":
            raise InputError(f"the experiment {self._name} is deleted: restore it, or name another")
        else:
            made = found.experiment_id
        self._experiment, token = made, None
        while True:
            page = self._client.search_runs([made], max_results=1000, page_token=token)
            for run in page:
                if identity := run.data.tags.get(_IDENTITY):
                    self._runs[identity] = run
            if not (token := page.token):
                return

    def sink(self, run: TrackedRun) -> "MLflowRun":
        """Return the run in MLflow that is that of a folder, below that of its study."""
        tags = {"mlflow.source.name": "sgdlab", "mlflow.source.type": "LOCAL", **run.tags}
        tags["directory"] = str(run.directory)
        if run.study:
            tags["mlflow.parentRunId"] = self._parent(run)
        found = self._runs.get(run.identity)

        def begin(identity: str = run.identity) -> Any:
            return self._begin(identity, run.name, run.started, tags, run)

        return MLflowRun(self._client, found, begin)

    def _parent(self, run: TrackedRun) -> str:
        found = self._runs.get(run.study_identity)
        if found is None:
            tags = {"mlflow.source.name": "sgdlab", "study": run.study}
            found = self._begin(run.study_identity, run.study, run.started, tags, None)
        identity = found.info.run_id
        self._began.add(identity)
        return identity

    def _begin(
        self, identity: str, name: str, time: float, tags: dict[str, str], run: TrackedRun | None
    ) -> Any:
        made = self._client.create_run(
            self._experiment, start_time=int(time * 1000), run_name=name,
            tags=tags | {_IDENTITY: identity, RECORD: json.dumps(UNCERTAIN)},
        )  # fmt: skip
        self._runs[identity] = made
        if run is not None:
            self._params(made.info.run_id, run)
        return made

    def _params(self, identity: str, run: TrackedRun) -> None:
        from mlflow.entities import Param

        every = [
            Param(name_of(key), str(value)[:_LONGEST])
            for key, value in run.settings.items()
            if value is not None and str(value) != ""
        ]
        for begin in range(0, len(every), 100):
            self._client.log_batch(identity, params=every[begin : begin + 100])

    def study(self, run: TrackedRun, files: Sequence[Path]) -> None:
        """Store the page of a study's report and its pictures as artifacts of the parent run."""
        parent = self._parent(run)
        for file in files:
            if file.suffix in (".html", *self.pictures):
                where = "report" if file.suffix == ".html" else "report/figures"
                self._client.log_artifact(parent, str(file), where)

    def close(self) -> None:
        """End the parent runs."""
        for identity in self._began:
            self._client.set_terminated(identity, "FINISHED")


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError as error:
        raise InputError(f"logger.mlflow.uri={parts.geturl()}: {error}") from None
