"""Each kind of file gives the values that were written, by group and unit."""

import json
import math
import re
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_logs import PATTERN, rows, speed_runs

from sgdlab.analysis.logs import LoggedRuns, LogOptions, read_logs
from sgdlab.checks import pip_install
from sgdlab.errors import InputError

VALUES = {
    (name, seed): round(1 + 0.1 * (name == "sgd") + 0.01 * seed**2, 4)
    for name in ("adamw", "sgd")
    for seed in range(3)
}


def finals(found: LoggedRuns) -> dict[tuple[str, object], float]:
    return {(r["contender"], r["seed"]): r["final_val_metric"] for r in found.runs.rows}


def read(path: Path, **options: object) -> LoggedRuns:
    return read_logs([path], LogOptions(**options))


def test_a_row_per_run(tmp_path: Path) -> None:
    table = [(*key, value) for key, value in VALUES.items()]
    found = read(rows(tmp_path / "a.csv", ["optimizer", "seed", "val_loss"], table))
    assert finals(found) == VALUES
    (part,) = found.parts
    assert (part.metric, part.maximise, part.logged.unit) == ("val_loss", False, "seed")
    assert found.runs.evals == {}


def test_a_row_per_step_of_which_the_last_counts(tmp_path: Path) -> None:
    table = [
        (*key, step, value + 5 - step, step / 2)
        for key, value in VALUES.items()
        for step in (5, 1, 3)  # in whatever order they come
    ]
    head = ["optimizer", "seed", "epoch", "val_loss", "train_seconds"]
    found = read(rows(tmp_path / "a.csv", head, table))
    assert finals(found) == pytest.approx(VALUES)
    evals = found.runs.evals[0]
    assert list(evals["step"]) == [1, 3, 5]
    assert list(evals["train_seconds"]) == [0.5, 1.5, 2.5]
    assert found.runs.rows[0]["steps"] == 5


def test_json_lines_with_nested_keys_and_parquet(tmp_path: Path) -> None:
    records = [{"cfg": {"optimizer": n}, "seed": s, "acc": v} for (n, s), v in VALUES.items()]
    lines = "\n\n".join(map(json.dumps, records))
    (tmp_path / "a.jsonl").write_text(lines)
    found = read(tmp_path / "a.jsonl", group=("cfg.optimizer",))
    assert finals(found) == VALUES
    assert found.parts[0].maximise
    pytest.importorskip("pyarrow", reason="extra parquet")
    flat = [{"optimizer": n, "seed": s, "acc": v} for (n, s), v in VALUES.items()]
    pd.DataFrame(flat).to_parquet(tmp_path / "a.parquet")
    assert finals(read(tmp_path / "a.parquet")) == VALUES


def test_a_column_per_contender(tmp_path: Path) -> None:
    table = [(s, VALUES["adamw", s], VALUES["sgd", s]) for s in range(3)]
    path = rows(tmp_path / "a.csv", ["seed", "adamw", "sgd"], table)
    assert finals(read(path, direction="min")) == VALUES
    bare = rows(tmp_path / "b.csv", ["adamw", "sgd"], [row[1:] for row in table])
    found = read(bare, direction="min")
    assert not found.parts[0].logged.unit  # rows alone are no pairs
    found = read(bare, direction="min", unit="row")
    assert finals(found) == {(name, seed + 1): value for (name, seed), value in VALUES.items()}


def test_wandb_exports_of_a_chart_and_of_runs(tmp_path: Path) -> None:
    head, columns = ["Step"], [[0, 1]]
    for (name, seed), value in VALUES.items():
        for end in ("", "__MIN", "__MAX"):
            head.append(f'"{name}-seed{seed} - val/loss{end}"')
            columns.append([9.0, value + bool(end)])
    path = rows(tmp_path / "chart.csv", head, list(zip(*columns, strict=True)))
    assert finals(read(path)) == VALUES
    head = ["Name", "State", "Created", "optimizer", "seed", "val_loss"]
    table = [(f"run-{n}-{s}", "finished", "x", n, s, v) for (n, s), v in VALUES.items()]
    table.append(("run-x", "crashed", "x", "sgd", 7, ""))
    found = read(rows(tmp_path / "runs.csv", head, table))
    assert {k: v for k, v in finals(found).items() if v is not None} == VALUES
    assert [run["status"] for run in found.runs.rows][-1] == "failed"


def test_text_logs_a_run_each(tmp_path: Path) -> None:
    written = speed_runs(tmp_path / "logs")
    found = read(tmp_path / "logs", patterns=(PATTERN,))
    for name, values in written.items():
        own = [r for r in found.runs.rows if r["contender"] == name]
        assert [r["final_val_metric"] for r in own] == values
        assert all(r["seed"] is None for r in own)
    assert found.runs.rows[0]["train_seconds"] == 60.0  # told in milliseconds


def test_what_earlier_patterns_match_holds_from_there_on(tmp_path: Path) -> None:
    text = "opt=sgd seed=1\nloss 5\nloss 4\nopt=adam seed=1\nloss 3\n"
    (tmp_path / "log.txt").write_text(text)
    patterns = (r"opt=(?P<optimizer>\w+) seed=(?P<seed>\d+)", r"loss (?P<loss>\S+)")
    with pytest.raises(InputError, match="two runs of sgd with seed 1"):
        read(tmp_path / "log.txt", patterns=patterns)
    (tmp_path / "log.txt").write_text(text.replace("loss 5\n", ""))
    found = read(tmp_path / "log.txt", patterns=patterns)
    assert finals(found) == {("sgd", 1): 4.0, ("adam", 1): 3.0}


def test_names_of_runs_by_a_pattern(tmp_path: Path) -> None:
    for (name, seed), value in VALUES.items():
        (tmp_path / f"{seed}__{name}.log").write_text(f"loss={value}\n")
    options = {"patterns": (r"loss=(?P<loss>\S+)",), "name": r"(?P<seed>\d+)__(?P<optimizer>\w+)"}
    assert finals(read(tmp_path, **options)) == VALUES
    with pytest.raises(InputError, match="does not match the run '0__adamw'"):
        read(tmp_path, **(options | {"name": r"(?P<seed>\d+)--(?P<optimizer>\w+)"}))


def test_tensorboard_event_folders(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="extra tensorboard")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    for (name, seed), value in VALUES.items():
        writer = EventFileWriter(str(tmp_path / f"{name}-seed{seed}"))
        for step, now in ((0, 9.0), (10, value)):
            event = Event(wall_time=1000.0 + step, step=step)
            event.summary.value.add(tag="val/loss", simple_value=now)
            writer.add_event(event)
        writer.close()
    found = read(tmp_path)
    assert finals(found) == pytest.approx(VALUES)  # they are kept in float32
    assert found.runs.rows[0]["train_seconds"] == 10.0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "folder"])
@pytest.mark.filterwarnings("ignore")
def test_mlflow_stores(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracking = pytest.importorskip("mlflow.tracking", reason="extra mlflow")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    place = tmp_path / ("store.db" if kind == "sqlite" else "mlruns")
    where = f"sqlite:///{place}" if kind == "sqlite" else place.as_uri()
    client = tracking.MlflowClient(tracking_uri=where)
    experiment = client.create_experiment("digits")
    for (name, seed), value in VALUES.items():
        run = client.create_run(experiment).info.run_id
        client.log_param(run, "optimizer", name)
        client.log_param(run, "seed", seed)
        for step, now in ((0, 9.0), (1, value)):
            client.log_metric(run, "val_loss", now, step=step)
        client.set_terminated(run)
    found = read(place)
    assert finals(found) == VALUES
    assert [part.dataset for part in found.parts] == ["digits"]


def test_a_package_that_is_not_there_is_named(tmp_path: Path, monkeypatch) -> None:
    import sys

    for package in ("tensorboard", "mlflow"):
        for name in [name for name in sys.modules if name.split(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / "events.out.tfevents.1").write_bytes(b"")
    (tmp_path / "m.db").write_bytes(b"SQLite format 3\0")
    for name, extra in (("events.out.tfevents.1", "tensorboard"), ("m.db", "mlflow")):
        with pytest.raises(InputError, match=re.escape(pip_install(extra))):
            read(tmp_path / name)


def test_a_database_of_others_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    pytest.importorskip("mlflow.tracking", reason="extra mlflow")
    own = sqlite3.connect(tmp_path / "own.db")
    own.execute("CREATE TABLE runs (id)")
    own.close()
    before = (tmp_path / "own.db").read_bytes()
    with pytest.raises(InputError, match="not one of MLflow"):
        read(tmp_path / "own.db")
    assert (tmp_path / "own.db").read_bytes() == before
    (tmp_path / "bad.db").write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 9)
    with pytest.raises(InputError, match="damaged SQLite file"):
        read(tmp_path / "bad.db")


def test_runs_that_ended_badly_are_no_values(tmp_path: Path) -> None:
    table = [("sgd", 0, 1.0, 5), ("sgd", 1, "nan", 5), ("sgd", 2, "", 5), ("adam", 0, "inf", 5)]
    found = read(rows(tmp_path / "a.csv", ["opt", "seed", "loss", "step"], table))
    status = [run["status"] for run in found.runs.rows]
    assert status == ["completed", "diverged", "failed", "diverged"]
    assert np.isinf(found.runs.evals[1]["loss"]).all()
    assert [run["final_val_metric"] for run in found.runs.rows] == [1.0, None, None, None]


def test_percent_is_no_fraction(tmp_path: Path) -> None:
    table = [(n, s, 90 + v) for (n, s), v in VALUES.items()]
    found = read(rows(tmp_path / "a.csv", ["optimizer", "seed", "accuracy"], table))
    (part,) = found.parts
    assert (part.metric, part.bounds[1], part.maximise) == ("accuracy in %", math.inf, True)


def test_units_that_nobody_shares_are_no_pairs(tmp_path: Path) -> None:
    table = [(n, s + 10 * (n == "sgd"), v) for (n, s), v in VALUES.items()]
    found = read(rows(tmp_path / "a.csv", ["optimizer", "seed", "loss"], table))
    assert found.parts[0].logged.unit == ""
    assert found.said[-1] == "pairs: none, since no two contenders share a value of seed"
    assert {run["seed"] for run in found.runs.rows} == {None}


def test_several_workloads_and_units_by_name(tmp_path: Path) -> None:
    table = [(task, n, "abc"[s], v) for task in ("cifar", "text") for (n, s), v in VALUES.items()]
    found = read(rows(tmp_path / "a.csv", ["task", "optimizer", "fold", "loss"], table))
    assert [(p.dataset, len(p.rows)) for p in found.parts] == [("cifar", 6), ("text", 6)]
    assert {run["seed"] for run in found.runs.rows} == {0, 1, 2}
