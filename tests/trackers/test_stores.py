"""Each tracker's own client reads back what was sent: every row of the CSVs, and nothing twice."""

import json
import math
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cli_runs import QUICK, Cli

# Those of the trackers' own packages.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]

Read = Callable[[Path], dict[str, "Found"]]


class Found:
    """What a store has of a run: points by number and step, what it is sorted by, how it ended."""

    def __init__(self, points: dict[str, list[tuple[int, float]]], about: dict[str, str]) -> None:
        self.points, self.about = points, about


def of_tensorboard(place: Path) -> dict[str, Found]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    found: dict[str, Found] = {}
    for file in sorted(place.rglob("*tfevents*")):
        own = EventAccumulator(str(file.parent), {"scalars": 0, "tensors": 0, "images": 0})
        own.Reload()
        tags = own.Tags()
        if not tags["scalars"]:
            continue
        points = {tag: [(e.step, e.value) for e in own.Scalars(tag)] for tag in tags["scalars"]}
        content = own.summary_metadata["_hparams_/session_start_info"].plugin_data.content
        session = HParamsPluginData.FromString(content).session_start_info
        values = {k: v.string_value or v.number_value for k, v in session.hparams.items()}
        found[file.parent.relative_to(place).as_posix()] = Found(points, values)
    return found


def of_mlflow(place: Path) -> dict[str, Found]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{place}")
    experiment = client.get_experiment_by_name("sgdlab")
    found: dict[str, Found] = {}
    runs = client.search_runs([experiment.experiment_id])
    names = {run.info.run_id: run.info.run_name for run in runs}
    for run in runs:
        identity = run.info.run_id
        points = {
            key: sorted((m.step, m.value) for m in client.get_metric_history(identity, key))
            for key in run.data.metrics
        }
        tags = run.data.tags
        about = {**run.data.params, **tags, "mlflow_status": run.info.status}
        parent = names.get(tags.get("mlflow.parentRunId", ""))
        name = f"{parent}/{run.info.run_name}" if parent else run.info.run_name
        about["artifacts"] = ",".join(f.path for f in client.list_artifacts(identity, "report"))
        found[name] = Found(points, about)
    return found


def records(path: Path) -> Iterator[bytes]:
    """Yield the records of W&B's offline file: LevelDB's log format, 32 KiB blocks.

    Version 0.31 of its package has no reader in Python any more; the records are its protobufs.
    """
    content, at, whole = path.read_bytes(), 7, b""  # after a header of seven bytes
    while at + 7 <= len(content):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        _, length, kind = struct.unpack_from("<IHB", content, at)
        whole += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield whole
            whole = b""


def of_wandb(place: Path) -> dict[str, Found]:
    from wandb.proto.wandb_internal_pb2 import Record

    found: dict[str, Found] = {}
    for file in sorted(place.glob("wandb/offline-run-*/*.wandb")):
        points: dict[str, list[tuple[int, float]]] = {}
        about: dict[str, str] = {}
        name = ""
        for content in records(file):
            record = Record.FromString(content)
            kind = record.WhichOneof("record_type")
            if kind == "run":
                name = f"{record.run.run_group}/{record.run.display_name}"
                about |= {i.key: json.loads(i.value_json) for i in record.run.config.update}
                about |= {"job_type": record.run.job_type, "tags": ",".join(record.run.tags)}
            elif kind == "history":
                row = {
                    ".".join(i.nested_key) or i.key: json.loads(i.value_json)
                    for i in record.history.item
                }
                for key, value in row.items():
                    if not key.startswith("_") and isinstance(value, int | float):
                        points.setdefault(key, []).append((int(row["_step"]), float(value)))
            elif kind == "summary":
                for item in record.summary.update:
                    key = ".".join(item.nested_key) or item.key
                    if key.startswith("summary/"):
                        points[key] = [(-1, float(json.loads(item.value_json)))]
        found[name] = Found(points, {k: str(v) for k, v in about.items()})
    return found


def of_trackio(place: Path) -> dict[str, Found]:
    # Where its store lies is settled when it is imported.
    code = (
        "import json; from trackio.sqlite_storage import SQLiteStorage as S; print(json.dumps("
        "[[r['name'], S.get_logs('sgdlab', run_id=r['id']), "
        "S.get_run_config('sgdlab', run_id=r['id'])]"
        " for r in S.get_run_records('sgdlab')], default=str))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "TRACKIO_DIR": str(place)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Found] = {}
    for name, logs, config in json.loads(done.stdout):
        points: dict[str, list[tuple[int, float]]] = {}
        for row in logs:
            for key, value in row.items():
                if key not in ("step", "timestamp") and not isinstance(value, dict):
                    points.setdefault(key, []).append((row["step"], float(value)))
        about = {k: str(v) for k, v in config.items()}
        found[f"{config['_Group']}/{name}"] = Found(points, about)
    return found


STORES: dict[str, tuple[str, str, Read]] = {
    "tensorboard": ("tensorboard", "tb", of_tensorboard),
    "mlflow": ("mlflow", "m.db", of_mlflow),
    "wandb": ("wandb", ".", of_wandb),
    "trackio": ("trackio", "tr", of_trackio),
}
KEYS = {
    "tensorboard": "directory=tb", "mlflow": "uri=sqlite:///m.db", "wandb": "directory=.",
    "trackio": "directory=tr",
}  # fmt: skip
EACH = pytest.mark.parametrize("name", STORES)


def store(name: str, folder: Path) -> dict[str, Found]:
    package, place, read = STORES[name]
    pytest.importorskip(package)
    return read(folder / place)


def chosen(name: str) -> tuple[str, str]:
    pytest.importorskip(STORES[name][0])
    return f"logger={name}", f"logger.{name}.{KEYS[name]}"


def same(sent: float, meant: float, single: bool) -> bool:
    """Say whether a number is the one that was meant, in TensorBoard as a float32."""
    if math.isnan(meant):
        return math.isnan(sent)
    return sent == (struct.unpack("f", struct.pack("f", meant))[0] if single else meant)


def agrees(found: Found, folder: Path, single: bool) -> None:
    """Hold every number of a run's tables against what a store has, and the other way round."""
    steps, evals = pd.read_csv(folder / "steps.csv"), pd.read_csv(folder / "evals.csv")
    meant: dict[str, list[tuple[int, float]]] = {}
    for column in steps.columns[1:]:
        name = column if column in ("epoch", "examples") else f"step/{column}"
        rows = steps[["step", column]].dropna()
        meant[name] = list(rows.itertuples(index=False, name=None))
    for split, rows in evals.groupby("split"):
        for column in ("loss", "accuracy"):
            own = rows[["step", column]]
            meant[f"{split}/{column}"] = list(own.itertuples(index=False, name=None))
    for name, expected in meant.items():
        if not expected:
            continue
        sent = found.points[name]
        assert [step for step, _ in sent] == [step for step, _ in expected], name
        assert all(same(a, b, single) for (_, a), (_, b) in zip(sent, expected, strict=True)), name
    summary = pd.read_csv(folder / "summary.csv").iloc[0]
    ((_, last),) = found.points["summary/final_val_loss"]
    assert same(last, summary["final_val_loss"], single)
    known = {*meant, "train_seconds"}
    assert {name for name in found.points if not name.startswith("summary/")} <= known


@EACH
@pytest.mark.parametrize("engine", ["sequential", "stacked"])
def test_every_row_of_a_sweep_is_in_the_store_once(name: str, engine: str, sgdlab: Cli) -> None:
    tier = "economy" if engine == "stacked" else "business"  # which no stack measures
    own = (*chosen(name), f"diagnostics={tier}", f"engine={engine}", "study=s")
    result = sgdlab("train", "-m", *QUICK, "epochs=3", "seed=0,1", "optimizer=sgd,adam", *own)
    assert (result.code, "logger=" in result.err) == (0, False), result.err
    folders = sorted(p.parent for p in sgdlab.folder.glob("runs/s/*/summary.csv"))
    assert len(folders) == 4

    def check() -> None:
        found = store(name, sgdlab.folder)
        for folder in folders:
            optimizer = pd.read_csv(folder / "summary.csv").optimizer.item()
            run = found[f"s/{optimizer}-{folder.name}"]
            agrees(run, folder, name == "tensorboard")
            assert (run.about["optimizer"], run.about["study"]) == (optimizer, "s")
            assert run.about["engine"] == engine

    check()
    again = sgdlab("report", "runs/s", "--to", f"{name}={KEYS[name].partition('=')[2]}")
    assert f"{name}: 0 of 4 runs sent, 4 were there" in again.out, again.out + again.err
    check()


@EACH
def test_finished_runs_are_sent_later_once_and_anew_where_they_were_made_anew(
    name: str, sgdlab: Cli
) -> None:
    to = ("report", "runs/s", "--to", f"{name}={KEYS[name].partition('=')[2]}")
    chosen(name)
    command = ("train", "-m", *QUICK, "epochs=2", "study=s")
    assert sgdlab(*command, "seed=0,1").code == 0
    assert f"{name}: 2 of 2 runs sent" in sgdlab(*to).out
    assert sgdlab(*command, "seed=0,1,2").code == 0
    assert f"{name}: 1 of 3 runs sent, 2 were there" in sgdlab(*to).out
    folder = min(p.parent for p in sgdlab.folder.glob("runs/s/*/summary.csv"))
    path = folder / "steps.csv"  # another number, as of a run that was made anew
    head, first, *rest = path.read_text().splitlines(keepends=True)
    cells = first.split(",")
    cells[4] = "0.0625"
    path.write_text("".join([head, ",".join(cells), *rest]))
    assert f"{name}: 1 of 3 runs sent" in sgdlab(*to).out
    found = store(name, sgdlab.folder)
    agrees(found[f"s/nesterov-{folder.name}"], folder, name == "tensorboard")
    assert len([key for key in found if key.startswith("s/nesterov-")]) == 3


def test_mlflow_has_a_parent_for_a_study_and_the_report_as_artifacts(sgdlab: Cli) -> None:
    command = ("compare", *QUICK, "protocol=quick", "epochs=2", "study=c")
    tiny = ("optimizers=[sgd,adam]", "trials=2", "seeds=2", "replicates=1", "tracks=[tuned]")
    result = sgdlab(*command, *tiny, *chosen("mlflow"))
    assert result.code == 0, result.err
    found = store("mlflow", sgdlab.folder)
    parent = found.pop("c")
    assert parent.about["mlflow_status"] == "FINISHED"
    assert "report/report.html" in parent.about["artifacts"]
    runs = sorted(p.parent for p in sgdlab.folder.glob("runs/c/*/*/summary.csv"))
    assert len(found) == len(runs) == 8
    for folder in runs:
        optimizer = pd.read_csv(folder / "summary.csv").optimizer.item()
        run = found[f"c/{folder.parent.name}/{optimizer}-{folder.name}"]
        assert (run.about["phase"], run.about["replicate"]) == (folder.parent.name, "0")
        assert run.about["mlflow_status"] == "FINISHED"


def test_tensorboard_shows_the_figures_of_a_report(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    sgdlab = Cli(tmp_path / "here", is_drawn=True)
    sgdlab("train", "-m", *QUICK, "epochs=2", "study=s", "optimizer=sgd,adam", "seed=0,1")
    assert sgdlab("report", "runs/s", "--to", "tensorboard=tb").code == 0
    own = EventAccumulator(str(sgdlab.folder / "tb" / "s" / "report"), {"images": 0})
    own.Reload()
    files = sorted((sgdlab.folder / "runs/s/report/figures").glob("*.png"))
    assert own.Tags()["images"] == [f"figures/{file.stem}" for file in files]
    for file in files:
        (image,) = own.Images(f"figures/{file.stem}")
        assert image.encoded_image_string == file.read_bytes()


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_judge_reads_the_store_and_says_of_it_what_it_says_of_the_runs(
    name: str, sgdlab: Cli
) -> None:
    own = ("optimizer=sgd,adam", "seed=0,1,2", "lr=0.01", "study=s")
    assert sgdlab("train", "-m", *QUICK, "epochs=3", *own, *chosen(name)).code == 0

    def judged(*arguments: str) -> list[dict[str, Any]]:
        result = sgdlab("judge", *arguments, "--json")
        return json.loads(result.out)["pairs"]

    store_, pattern = STORES[name][1], "(?P<optimizer>[a-z]+)-(?P<id>r\\w+)$"
    options = ("--name", pattern) if name == "tensorboard" else ("--group", "optimizer")
    last = ("--metric", "val/loss", "--direction", "min", "--step", "step")
    runs = ("runs/s/runs.csv", "--group", "optimizer", "--metric", "final_val_loss")
    (found,) = judged(store_, *options, *last, *(("--unit", "seed") if name == "mlflow" else ()))
    paired = ("--unit", "seed") if name == "mlflow" else ()
    (meant,) = judged(*runs, "--direction", "min", *paired)
    assert found["first"], found["second"] == (meant["first"], meant["second"])
    assert found["mean_difference"] == pytest.approx(meant["mean_difference"], rel=1e-6)
