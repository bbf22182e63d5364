"""Sweeps and comparisons with the stacked engine, as typed."""

import functools
import json
from pathlib import Path

import pytest
import yaml
from cli_runs import Cli, write
from hydra.core.config_store import ConfigStore

from sgdlab.results import read_summary

SMALL = ("dataset=wine", "model.hidden=[6]", "epochs=3", "schedule.warmup_epochs=0", "study=s")


def _runs(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("runs/s/*/summary.csv"))


def test_a_sweep_in_stacks(tmp_path: Path) -> None:
    sweep = ("train", "-m", *SMALL, "optimizer=nesterov,lbfgs", "lr=0.01,0.1", "seed=0,1")
    stacked = ("hydra/launcher=stacked", "engine=stacked")
    done = Cli(tmp_path)(*sweep, *stacked)
    assert done.code == 0, done.err
    assert "4 of 8 runs train one by one: LBFGS has no stacked rule (4)" in done.err
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
        (("engine=stacked", "clip_value=1"), "engine=stacked: clip_value"),
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
    plugin = "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"
    store = functools.partial(ConfigStore.instance().store, group="hydra/launcher")
    store(name="plain_joblib", node={"_target_": plugin})
    done = Cli(tmp_path)(
        "train", "-m", *SMALL, "seed=0,1", "engine=stacked", "hydra/launcher=plain_joblib"
    )
    assert done.code == 2
    assert "JoblibLauncher trains runs one by one" in done.err


JITTERED = """
    import torch
    from torch import nn

    class Jittered(nn.Sequential):
        def __init__(self, num_outputs):
            super().__init__(nn.Linear(13, 8), nn.ReLU(), nn.Linear(8, num_outputs))

        def forward(self, x):
            return super().forward(x + torch.rand_like(x) if self.training else x)
"""


WHY = "a step fails: it draws random numbers otherwise than by dropout"


def test_a_model_that_no_stack_reproduces_has_the_bytes_that_it_has_alone(tmp_path: Path) -> None:
    write(tmp_path / "jittered_parts.py", JITTERED)
    write(tmp_path / "my/model/jittered.yaml", "_target_: jittered_parts.Jittered")
    common = ("--config-dir", "my", "-m", "dataset=wine", "model=jittered", "epochs=2", "seed=0,1")
    said: dict[str, str] = {}
    for engine in ("sequential", "stacked"):
        done = Cli(tmp_path)("train", *common, "study=" + engine, f"engine={engine}")
        assert done.code == 0, done.err
        said[engine] = done.err
    assert f"2 of 2 runs train one by one: {WHY} (2)" in said["stacked"]
    alone, stacked = (
        sorted((tmp_path / "runs" / engine).glob("*/steps.csv"))
        for engine in ("sequential", "stacked")
    )
    assert [p.read_bytes() for p in alone] == [p.read_bytes() for p in stacked]
    done = Cli(tmp_path)(
        "train", *(o for o in common if o not in ("-m", "seed=0,1")), "engine=stacked"
    )
    assert done.code == 2
    assert f"engine=stacked: {WHY}; set engine=sequential" in done.err


def test_a_language_model_is_stacked_by_its_own_code(tmp_path: Path) -> None:
    write(tmp_path / "book.txt", "the quick brown fox jumps over the lazy dog. " * 30)
    done = Cli(tmp_path)(
        "train", "-m", "model=gpt", "model.width=8", "model.depth=1", "dataset=text",
        "dataset.path=book.txt", "dataset.context=6", "batch_size=16", "max_steps=5", "seed=0,1",
        "engine=stacked", "study=s",
    )  # fmt: skip
    assert done.code == 0, done.err
    runs = _runs(tmp_path)
    assert len(runs) == 2
    for run in runs:
        summary = read_summary(run)
        assert summary is not None
        assert summary["engine"] == "stacked"
        assert summary["metric"] == "perplexity"
        assert 1 < float(summary["final_val_metric"]) < 256  # type: ignore[arg-type]
        assert json.loads((run / "environment.json").read_text())["stacked_form"] == "general"
