"""Sweeps on real workers of this machine: a Ray cluster of three nodes, submitit, joblib."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_runs import same_run
from ray_cluster import cluster_of, done, start

pytestmark = pytest.mark.slow

RUNS = [
    "dataset=wine", "model=linear", "schedule=constant", "max_steps=600", "seed=0,1,2,3,4,5",
    "lr=0.1,0.2", "study=s", "engine=sequential", "device=cpu", "threads=1", "checkpoint.every=100",
]  # fmt: skip
"""Twelve runs of a second or so."""


def runs_in(folder: Path) -> dict[str, Path]:
    return {path.parent.name: path.parent for path in folder.glob("runs/s/*/summary.csv")}


@pytest.fixture(scope="module")
def sequential(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The runs as one process trains them, one after the other."""
    folder = tmp_path_factory.mktemp("sequential")
    done(start(folder, "train", "-m", *RUNS))
    found = runs_in(folder)
    assert len(found) == 12
    return found


def assert_same(folder: Path, expected: dict[str, Path]) -> None:
    """All runs have ended, each once, with the bytes of those that one process has trained."""
    found = runs_in(folder)
    assert set(found) == set(expected)
    for name, run in found.items():
        assert same_run(run, expected[name]), name
    table = (folder / "runs/s/runs.csv").read_text().splitlines()
    assert len(table) == len(expected) + 1


@pytest.fixture
def cluster() -> Iterator[Any]:
    with cluster_of(3) as found:
        yield found


def wait_for(folder: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until so many runs have ended."""
    end = time.monotonic() + 900
    while len(runs_in(folder)) < count:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_node_that_dies_in_the_middle_costs_no_run(
    cluster: Any, tmp_path: Path, sequential: dict[str, Path]
):
    process = start(
        tmp_path, "train", "-m", *RUNS, "hydra/launcher=ray",
        f"hydra.launcher.address={cluster.address}",
    )  # fmt: skip
    wait_for(tmp_path, 2, process)
    cluster.remove_node(cluster.others[0], allow_graceful=False)
    at_death = len(runs_in(tmp_path))
    said = done(process)
    assert "12 completed" in said
    assert at_death < 12
    assert_same(tmp_path, sequential)
    again = done(start(tmp_path, "train", "-m", *RUNS, "hydra/launcher=ray",
                        f"hydra.launcher.address={cluster.address}"))  # fmt: skip
    assert "12 of 12 runs are finished" in again


def test_workers_that_do_not_see_the_folder_send_the_files_back(
    cluster: Any, tmp_path: Path, sequential: dict[str, Path], monkeypatch: pytest.MonkeyPatch
):
    # On one machine every worker sees every folder: it is told that it does not.
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "sitecustomize.py").write_text(
        "import os\nif 'RAY_RAYLET_PID' in os.environ:\n"
        "    import sgdlab.sweeps.worker as worker\n    worker.shares = lambda witness: False\n"
    )
    path = f"{parts}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    process = start(
        tmp_path / "laptop", "train", "-m", *RUNS, "hydra/launcher=ray",
        f"hydra.launcher.address={cluster.address}",
        f"hydra.launcher.init={{runtime_env: {{env_vars: {{PYTHONPATH: '{path}'}}}}}}",
    )  # fmt: skip
    assert "12 completed" in done(process)
    assert_same(tmp_path / "laptop", sequential)


@pytest.mark.parametrize(
    ("launcher", "module", "settings"),
    [
        ("joblib", "hydra_plugins.hydra_joblib_launcher", ["hydra.launcher.n_jobs=2"]),
        ("submitit_local", "hydra_plugins.hydra_submitit_launcher", ["hydra.launcher.workers=3"]),
    ],
)
def test_a_worker_that_is_killed_costs_no_run(
    launcher: str, module: str, settings: list[str], tmp_path: Path, sequential: dict[str, Path]
):
    pytest.importorskip(module)
    process = start(tmp_path, "train", "-m", *RUNS, f"hydra/launcher={launcher}", *settings)
    wait_for(tmp_path, 2, process)
    os.kill(worker_of(process.pid), signal.SIGKILL)
    said = done(process)
    assert "12 completed" in said
    assert "handed out again" in said
    assert_same(tmp_path, sequential)


def worker_of(pid: int) -> int:
    """Return a process below another one that trains: the one that has used the most time."""
    children: dict[int, list[int]] = {}
    used: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(entry.name))
        used[int(entry.name)] = int(fields[11]) + int(fields[12])
    below, waiting = [], [pid]
    while waiting:
        own = children.get(waiting.pop(), [])
        below += own
        waiting += own
    return max(below, key=lambda child: used[child])
