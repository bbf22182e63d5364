"""Results of workers that do not see the study's folder, here told so: all comes back."""

import subprocess
import sys
from pathlib import Path

import pytest
from cli_runs import QUICK, Cli, Result, refused, same_run

SWEEP = ("train", "-m", *QUICK, "max_steps=4", "study=s", "engine=sequential")
HERE = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=1")
"""joblib starts no process where one is all that is asked for."""

BLIND = """
import sys
from sgdlab.sweeps import worker
worker.shares = lambda witness: False
from sgdlab.cli import main
sys.argv[0] = "sgdlab"
sys.exit(main())
"""


class Apart:
    """``sgdlab`` as typed in a folder, whose workers believe that they do not see it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder

    def __call__(self, *arguments: str, code: str = BLIND) -> Result:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def apart(tmp_path: Path) -> Apart:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    return Apart(tmp_path / "apart")


def runs_of(cli: Cli | Apart) -> dict[str, Path]:
    return {path.parent.name: path.parent for path in cli.folder.glob("runs/s/*/summary.csv")}


@pytest.mark.slow
def test_a_sweep_comes_back(sgdlab: Cli, apart: Apart):
    result = apart(*SWEEP, "lr=0.1,0.2", *HERE)
    assert result.code == 0, result.err
    assert sgdlab(*SWEEP, "lr=0.1,0.2").code == 0
    assert set(runs_of(apart)) == set(runs_of(sgdlab))
    assert len(runs_of(apart)) == 2
    for name, run in runs_of(apart).items():
        assert same_run(run, runs_of(sgdlab)[name])


@pytest.mark.slow
def test_stacks_come_back(sgdlab: Cli, apart: Apart):
    stacked = [word for word in SWEEP if not word.startswith("engine")] + ["engine=stacked"]
    result = apart(*stacked, "seed=0,1,2,3,4,5,6,7,8", *HERE, "hydra.launcher.runs=5")
    assert result.code == 0, result.err
    assert sgdlab(*stacked, "seed=0,1,2,3,4,5,6,7,8").code == 0
    assert set(runs_of(apart)) == set(runs_of(sgdlab))
    for name, run in runs_of(apart).items():
        assert same_run(run, runs_of(sgdlab)[name])


@pytest.mark.slow
def test_range_tests_come_back(sgdlab: Cli, apart: Apart):
    command = ("lr-find", "-m", *QUICK, "optimizer=sgd,adam", "range.steps=20",
               "hydra.sweep.dir=out")  # fmt: skip
    assert apart(*command, *HERE).code == 0
    assert sgdlab(*command).code == 0
    for name in ("lr_find.csv", "suggestions.csv", "sgd/lr_find.csv", "adam/lr_find.csv"):
        own = (apart.folder / "out" / name).read_bytes()
        assert own == (sgdlab.folder / "out" / name).read_bytes(), name


@pytest.mark.slow
def test_hydras_own_sweeper_hands_chunks_out_too(apart: Apart):
    seeing = BLIND.replace("worker.shares", "worker.unused")
    result = apart(*SWEEP, "lr=0.1,0.2", "hydra/sweeper=basic", *HERE, code=seeing)
    assert result.code == 0, result.err
    assert len(runs_of(apart)) == 2


@pytest.mark.slow
def test_a_packed_sweep_is_resumed_where_it_lies(sgdlab: Cli):
    pytest.importorskip("pyarrow")
    assert sgdlab(*SWEEP, "seed=0,1").code == 0
    packed = sgdlab("pack", "runs/s")
    assert packed.code == 0, packed.err
    assert "2 runs of" in packed.out
    assert not list((sgdlab.folder / "runs/s").glob("r*/summary.csv"))
    again = sgdlab(*SWEEP, "seed=0,1,2")
    assert "2 of 3 runs are finished" in again.err
    (found,) = runs_of(sgdlab)
    table = (sgdlab.folder / "runs/s/runs.csv").read_text().splitlines()
    assert len(table) == 4
    first = next(line.split(",")[0] for line in table[1:] if line.split(",")[0] != found)
    longer = (*QUICK, "max_steps=6", "seed=0", f"continue_from=runs/s/{first}")
    line = refused(sgdlab, "train", *longer, "hydra.run.dir=longer")
    assert line.endswith("its run lies packed; sgdlab unpack runs/s first\n")
    assert sgdlab("unpack", "runs/s").code == 0
    assert len(runs_of(sgdlab)) == 3
