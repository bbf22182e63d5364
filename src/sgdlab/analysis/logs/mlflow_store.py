# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Reads the runs of an MLflow store, a folder or a SQLite file, by the package mlflow."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd

from sgdlab.analysis.logs.options import FILE, NAME
from sgdlab.checks import pip_install
from sgdlab.errors import InputError, one_line

_SQLITE = b"SQLite format 3\0"


def is_store(path: Path) -> bool:
    """Say whether a path is a SQLite file, or a folder with the experiments of MLflow."""
    if path.is_file():
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    return any(path.glob("*/meta.yaml"))


def read(path: Path) -> pd.DataFrame:
    """Return every metric of every run: a row per step, with parameters and ``status`` beside.

    Runs are called as in MLflow, and ``experiment`` is the name of theirs.

    Raises:
        InputError: The package mlflow is not installed, or it cannot read the store, or there is
            no metric in it.
    """
    # It warns of folders as stores, which are what is read here.
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    try:
        from mlflow.tracking import MlflowClient
    except ImportError:
        raise InputError(f"{path}: MLflow's store needs mlflow; {pip_install('mlflow')}") from None
    if path.is_file():
        _refuse_others(path)
    where = f"sqlite:///{path.resolve()}" if path.is_file() else path.resolve().as_uri()
    rows: list[dict[str, Any]] = []
    try:
        client = MlflowClient(tracking_uri=where)
        for experiment in client.search_experiments():
            for run in _runs(client, experiment.experiment_id):
                told = dict(run.data.params) | {
                    "experiment": experiment.name,
                    "status": run.info.status,
                    NAME: run.info.run_name or run.info.run_id,
                    "run_id": run.info.run_id,
                }
                rows += _rows(client, run, told)
    except Exception as error:  # whatever it and its database raise at a store that is damaged
        raise InputError(f"{path}: mlflow cannot read it: {one_line(error)}") from error
    if not rows:
        raise InputError(f"{path}: no run with a metric in it")
    return pd.DataFrame(rows).assign(**{FILE: str(path)})


def _refuse_others(path: Path) -> None:
    """Refuse a database of others, into which mlflow would write its own tables.

    Raises:
        InputError: It is none of MLflow's, or damaged.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            found = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        raise InputError(f"{path}: a damaged SQLite file: {one_line(error)}") from error
    if not {"experiments", "runs", "metrics"} <= found:
        raise InputError(f"{path}: a SQLite file, and not one of MLflow")


def _runs(client: Any, experiment: str) -> list[Any]:
    found: list[Any] = []
    token = None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _rows(client: Any, run: Any, told: dict[str, Any]) -> list[dict[str, Any]]:
    steps: dict[int, dict[str, Any]] = {}
    for key in run.data.metrics:
        for point in client.get_metric_history(run.info.run_id, key):
            row = steps.setdefault(point.step, {**told, "step": point.step})
            row[key] = "nan" if point.value != point.value else point.value
            row["seconds"] = (point.timestamp - run.info.start_time) / 1000
    return [steps[step] for step in sorted(steps)]
