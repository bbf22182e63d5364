"""Sweeps and comparisons with the stacked engine, as typed."""

from pathlib import Path

import pytest
import yaml
from cli_runs import Cli

from sgdlab.results import read_summary

SMALL = ("dataset=wine", "model.hidden=[6]", "epochs=3", "schedule.warmup_epochs=0", "study=s")


def _runs(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("runs/s/*/summary.csv"))


def test_a_sweep_in_stacks(tmp_path: Path) -> None:
    sweep = ("train", "-m", *SMALL, "optimizer=nesterov,muon", "lr=0.01,0.1", "seed=0,1")
    stacked = ("hydra/launcher=stacked", "engine=stacked")
    done = Cli(tmp_path)(*sweep, *stacked)
    assert done.code == 0, done.err
    assert "4 of 8 runs train one by one: Muon has no stacked rule (4)" in done.err
    assert "8 completed" in done.out
    by_engine = {"stacked": 0, "sequential": 0}
    for run in _runs(tmp_path):
        summary = read_summary(run)
        assert summary is not None
        engine = str(summary["engine"])
        by_engine[engine] += 1
        assert (summary["optimizer"] == "nesterov") == (engine == "stacked")
        assert (summary["train_seconds"] is None) == (engine == "stacked")
        assert yaml.safe_load((run / "config.yaml").read_text())["engine"] == engine
    assert by_engine == {"stacked": 4, "sequential": 4}
    again = Cli(tmp_path)(*sweep, *stacked)
    assert "8 of 8 runs are finished; resume=false repeats them" in again.err


def test_a_run_of_a_stack_is_repeated_from_its_folder_to_the_last_bit(tmp_path: Path) -> None:
    sweep = ("train", "-m", *SMALL, "lr=0.01,0.1", "seed=0,1,2", "engine=stacked")
    done = Cli(tmp_path)(*sweep)
    assert done.code == 0, done.err
    run = _runs(tmp_path)[2]
    again = tmp_path / "again"
    repeat = ("train", "--config-dir", str(run), "--config-name", "config")
    done = Cli(tmp_path)(*repeat, f"hydra.run.dir={again}")
    assert done.code == 0, done.err
    for name in ("steps.csv", "evals.csv", "summary.csv"):
        assert (again / name).read_bytes() == (run / name).read_bytes()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("engine=stackd",), "engine=stackd: valid: auto, sequential, stacked"),
        (("stacked.compile=maybe",), "stacked.compile=maybe: must be true, false or auto"),
        (("stacked.max_memory=lots",), "stacked.max_memory=lots: must be bytes, such as 4G"),
        (("engine=stacked", "average=ema"), "engine=stacked: average=ema"),
    ],
)
def test_bad_input_is_one_line(overrides: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = Cli(tmp_path)("train", *overrides)
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert line.startswith(f"sgdlab: {message}")
    assert not list(tmp_path.glob("runs/**/*.csv"))


@pytest.mark.slow
def test_another_sweeper_resumes_and_may_repeat_itself(tmp_path: Path) -> None:
    command = (
        "train", "-m", *SMALL, "lr=0.01,0.10,0.1", "hydra/sweeper=basic", "engine=stacked",
        "hydra/launcher=stacked",
    )  # fmt: skip
    done = Cli(tmp_path)(*command)
    assert done.code == 0, done.err
    runs = _runs(tmp_path)
    assert len(runs) == 2
    before = [(run / "summary.csv").stat().st_mtime_ns for run in runs]
    assert Cli(tmp_path)(*command).code == 0
    assert [(run / "summary.csv").stat().st_mtime_ns for run in runs] == before
    mixed = Cli(tmp_path)(*command, "hydra.sweep.subdir=one", "seed=7")
    assert mixed.code == 2
    assert "two runs of the sweep would write there" in mixed.err


def test_a_launcher_that_cannot_stack_is_refused(tmp_path: Path) -> None:
    done = Cli(tmp_path)(
        "train", "-m", *SMALL, "seed=0,1", "engine=stacked", "hydra/launcher=joblib"
    )
    assert done.code == 2
    assert "JoblibLauncher trains runs one by one" in done.err
