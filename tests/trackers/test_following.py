"""A tracker is followed by a process of its own, and whatever becomes of it, the run goes on."""

import json
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cli_runs import QUICK, Cli

from sgdlab.results import TIME_AND_MEMORY

KEEPING = ("logger=keeping",)


def kept(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted((folder / "kept").glob("*.json"))]


def of_time(name: str) -> bool:
    return name in TIME_AND_MEMORY


def test_a_run_is_sent_whole(sgdlab: Cli, own: Path, tmp_path: Path) -> None:
    folder = sgdlab.train("a", *KEEPING, "epochs=3", parts=own)
    (run,) = kept(tmp_path)
    steps, evals = pd.read_csv(folder / "steps.csv"), pd.read_csv(folder / "evals.csv")
    sent = {point[0]: point[2] for point in run["points"]}
    assert len(sent) == len(run["points"]) == len(steps) + 1
    for row in steps.to_dict("records"):
        for column in ("lr", "loss", "grad_norm", "clip_coef"):
            assert sent[row["step"]][f"step/{column}"] == row[column]
        assert sent[row["step"]]["examples"] == row["examples"]
    for row in evals.to_dict("records"):
        assert sent[row["step"]][f"{row['split']}/loss"] == row["loss"]
        assert sent[row["step"]][f"{row['split']}/accuracy"] == row["accuracy"]
    status, _, last, results = run["ending"]
    summary = pd.read_csv(folder / "summary.csv").iloc[0]
    assert (status, last) == ("completed", summary["steps"])
    assert results["final_val_loss"] == summary["final_val_loss"]


def test_id_folder_and_files_are_the_same_with_a_tracker_and_without(
    sgdlab: Cli, own: Path, tmp_path: Path
) -> None:
    command = ("-m", "epochs=2", *QUICK, "seed=0,1", "engine=stacked")
    for tracker in ((), KEEPING):
        there = Cli(tmp_path / f"with{len(tracker)}")
        assert there("train", *command, "--config-dir", own, *tracker).code == 0
    assert len(kept(tmp_path)) == 2
    without, with_one = (tmp_path / f"with{n}" / "runs" for n in (0, 1))
    files = sorted(p.relative_to(without) for p in without.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(with_one) for p in with_one.rglob("*") if p.is_file())
    named = [file for file in files if file.name in ("config.yaml", "steps.csv", "summary.csv")]
    assert len(named) == 6
    for file in named:
        if file.name == "summary.csv":
            first, second = (pd.read_csv(home / file) for home in (without, with_one))
            shared = [column for column in first if column not in TIME_AND_MEMORY]
            pd.testing.assert_frame_equal(first[shared], second[shared])
        else:
            assert (without / file).read_bytes() == (with_one / file).read_bytes(), file


def test_names_of_numbers_do_not_depend_on_the_engine(
    sgdlab: Cli, own: Path, tmp_path: Path
) -> None:
    names: list[set[str]] = []
    for engine in ("sequential", "stacked"):
        command = ("-m", *QUICK, "epochs=2", "seed=0,1", f"engine={engine}", f"study={engine}")
        assert sgdlab("train", *command, *KEEPING, "--config-dir", own).code == 0
    for engine in ("sequential", "stacked"):
        runs = [run for run in kept(tmp_path) if run["study"] == engine]
        assert len(runs) == 2
        assert {run["tags"]["engine"] for run in runs} == {engine}
        names.append({name for run in runs for point in run["points"] for name in point[2]})
    assert names[1] >= {"step/loss", "step/lr", "step/grad_norm", "train/loss", "val/accuracy"}
    # Time is that of a run alone: a stack has none.
    assert names[0] - names[1] == {"train_seconds"}
    assert names[1] <= names[0]


@pytest.mark.parametrize(
    ("logger", "told"),
    [
        ("failing", "ConnectionError: the store is full"),
        ("killed", "its process has ended (SIGKILL)"),
        ("hanging", "shows no sign of life"),
    ],
)
def test_a_tracker_that_fails_is_told_once_and_takes_nothing_along(
    logger: str, told: str, sgdlab: Cli, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sgdlab.trackers.process.PATIENCE", 2.0)
    begin = time.monotonic()
    command = ("train", *QUICK, "epochs=2", "hydra.run.dir=a", f"logger=[{logger},keeping]")
    result = sgdlab(*command, "--config-dir", own)
    assert result.code == 0, result.err
    lines = [line for line in result.err.splitlines() if "logger=" in line]
    assert len(lines) == 1
    assert f"logger={logger}: {told}" in lines[0]
    assert "sgdlab report a --to" in lines[0]
    assert (sgdlab.folder / "a" / "summary.csv").is_file()
    assert len(kept(own.parent)) == 1, "the other tracker has all"
    assert time.monotonic() - begin < 60  # and not the hour that it would take


def test_a_failed_run_is_sent_with_its_reason(sgdlab: Cli, own: Path, tmp_path: Path) -> None:
    command = ("train", *QUICK, "epochs=2", "hydra.run.dir=a", "lr=1e30", *KEEPING)
    assert sgdlab(*command, "--config-dir", own).code == 0
    (run,) = kept(tmp_path)
    assert run["ending"][0] == "diverged"
    assert run["ending"][1]


def test_a_run_repeats_from_its_folder_with_a_tracker(
    sgdlab: Cli, own: Path, tmp_path: Path
) -> None:
    folder = sgdlab.train("a", "epochs=1")
    (tmp_path / "own" / "config.yaml").write_text((folder / "config.yaml").read_text())
    again = ("--config-dir", own, "--config-name", "config", "hydra.run.dir=b", *KEEPING)
    assert sgdlab("train", *again).code == 0
    (run,) = kept(tmp_path)
    assert run["name"] == "b"
    assert (sgdlab.folder / "b" / "steps.csv").read_bytes() == (folder / "steps.csv").read_bytes()
