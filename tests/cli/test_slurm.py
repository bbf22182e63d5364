"""The SLURM script of docs/, under a stand-in for SLURM that signals and queues again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_runs import same_run

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "docs" / "slurm.sh"

QUICK = ["dataset=wine", "model=linear", "schedule=constant", "device=cpu", "threads=1",
         "checkpoint.every=50"]  # fmt: skip
TRAIN = ["train", *QUICK, "max_steps=6000"]
SWEEP = ["train", "-m", *QUICK, "max_steps=3000", "seed=0,1,2", "study=s", "engine=sequential"]
COMPARE = ["compare", *QUICK, "optimizers=[sgd,adam]", "trials=2", "seeds=2", "replicates=2",
           "max_steps=2000", "study=s", "engine=sequential"]  # fmt: skip


class Slurm:
    """What the script needs of SLURM: it is run, signalled, and run again as it asks.

    Args:
        folder: The working directory of the job.
        tools: A folder for ``sgdlab`` and ``scontrol``.
    """

    def __init__(self, folder: Path, tools: Path) -> None:
        self.folder, self.asked = folder, tools / "requeue"
        tools.mkdir(parents=True)
        folder.mkdir(parents=True)
        commands = {
            "sgdlab": f'exec "{sys.executable}" -m sgdlab "$@"',
            "scontrol": f'echo "$1 $2" >> "{self.asked}"',
        }
        for name, line in commands.items():
            (tools / name).write_text(f"#!/bin/bash\n{line}\n")
            (tools / name).chmod(0o755)
        path = f"{tools}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**os.environ, "PATH": path, "SLURM_JOB_ID": "4711"}
        self.starts = 0

    def sbatch(self, arguments: list[str], signals: list[int]) -> str:
        """Run a job to its end; each start is sent the next signal once a checkpoint is there."""
        said = ""
        for number in [*signals, None]:
            self.starts += 1
            before = self._checkpoints()
            job = subprocess.Popen(
                ["bash", SCRIPT, *arguments], cwd=self.folder, env=self._environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            if number is not None:
                end = time.monotonic() + 900
                while job.poll() is None and self._checkpoints() == before:
                    assert time.monotonic() < end
                    time.sleep(0.01)
                job.send_signal(number)  # --signal=B: the script alone
            said += job.communicate(timeout=1500)[0]
            if job.returncode == 0:
                return said
            assert number is not None, said
            assert job.returncode == 128 + number, said
            assert self.asked.read_text() == "requeue 4711\n"
            self.asked.unlink()
        raise AssertionError(said)

    def _checkpoints(self) -> set[tuple[str, int]]:
        found = self.folder.glob("runs/**/checkpoint.pt")
        return {(str(path), path.stat().st_mtime_ns) for path in found}


def assert_same(folder: Path, expected: Path) -> None:
    """The runs are those that nobody has interrupted."""
    runs = {p.parent.relative_to(expected): p.parent for p in expected.glob("runs/**/summary.csv")}
    assert runs
    assert {p.parent.relative_to(folder) for p in folder.glob("runs/**/summary.csv")} == set(runs)
    for name, run in runs.items():
        assert same_run(folder / name, run), name


@pytest.mark.parametrize("arguments", [TRAIN, SWEEP, COMPARE], ids=["train", "sweep", "compare"])
def test_a_job_that_is_told_to_stop_goes_on_and_ends_with_the_same_files(
    arguments: list[str], tmp_path: Path
):
    alone = Slurm(tmp_path / "alone", tmp_path / "tools")
    alone.sbatch(arguments, [])
    told = Slurm(tmp_path / "told", tmp_path / "other tools")
    told.sbatch(arguments, [signal.SIGUSR1, signal.SIGTERM])
    assert told.starts == 3
    assert_same(tmp_path / "told", tmp_path / "alone")
