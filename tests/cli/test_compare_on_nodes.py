"""A comparison on a Ray cluster, of which a node is killed in the middle."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from cli_runs import rows, same_run
from ray_cluster import cluster_of, done, is_busy, start

pytestmark = pytest.mark.slow

COMPARE = [
    "compare", "dataset=wine", "model=linear", "schedule=constant", "optimizers=[sgd,adam]",
    "replicates=2", "trials=4", "seeds=1", "study=s", "device=cpu", "threads=1",
    "checkpoint.every=20",
]  # fmt: skip
"""Sixteen trials, four final runs and four at default settings."""

WAYS = {
    "one by one": ["engine=sequential", "max_steps=600"],
    "in stacks": ["max_steps=3000"],
    "by halving": ["search.halving=true", "epochs=150"],
}
RUNS = {"tune": 16, "final": 4, "defaults": 4}

_OF_TIME = ("seconds", "examples_per_second", "memory", "clock")
"""What the columns of a report are called that differ between two executions."""


@pytest.fixture(scope="module")
def sequential(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The comparison of each way, as one process makes it."""
    made: dict[str, Path] = {}

    def comparison(way: str) -> Path:
        if way not in made:
            folder = tmp_path_factory.mktemp("sequential")
            done(start(folder, *COMPARE, *WAYS[way]))
            made[way] = folder / "runs/s"
        return made[way]

    return comparison


@pytest.mark.parametrize(
    ("way", "phase"),
    [("one by one", "tune"), ("one by one", "final"), ("in stacks", "tune"),
     ("by halving", "tune")],
)  # fmt: skip
def test_a_node_that_dies_in_the_middle_changes_nothing(
    way: str, phase: str, tmp_path: Path, sequential: Any
):
    expected: Path = sequential(way)
    study = tmp_path / "runs/s"
    with cluster_of(3) as cluster:
        command = [*COMPARE, *WAYS[way], "hydra/launcher=ray",
                   f"hydra.launcher.address={cluster.address}"]  # fmt: skip
        process = start(tmp_path, *command)
        under_way = kill_a_busy_node(cluster, study / phase, process)
        done(process)
        again = done(start(tmp_path, *command))
    assert under_way, "the node died before a run had begun, or after all had ended"
    assert f"{RUNS[phase]} of {RUNS[phase]} runs are finished" in again
    assert_same(study, expected)


def kill_a_busy_node(cluster: Any, phase: Path, process: Any) -> list[str]:
    """Kill a node with a task on it once runs of a phase have a checkpoint; return those."""
    end = time.monotonic() + 900
    while time.monotonic() < end:
        assert process.poll() is None, process.communicate()[0]
        busy = [node for node in cluster.others if is_busy(node)]
        begun = [path.parent for path in phase.glob("*/checkpoint.pt")]
        if busy and begun:
            cluster.remove_node(busy[0], allow_graceful=False)
            return [run.name for run in begun if not (run / "summary.csv").exists()]
        time.sleep(0.05)
    raise AssertionError("no run had a checkpoint in time")


def assert_same(study: Path, expected: Path) -> None:
    """A comparison has the runs, tables and verdicts of another, whatever they have cost."""
    for phase, count in RUNS.items():
        found = {path.parent.name for path in (study / phase).glob("*/summary.csv")}
        assert len(found) == count
        assert found == {path.name for path in (expected / phase).iterdir()}
        for name in found:
            assert same_run(study / phase / name, expected / phase / name), name
    assert timeless(study / "runs.csv") == timeless(expected / "runs.csv")
    assert (study / "study.yaml").read_bytes() == (expected / "study.yaml").read_bytes()
    report, other = study / "report", expected / "report"
    for name in ("comparison", "sensitivity", "audit", "pairwise", "runs"):
        assert timeless(report / f"{name}.csv") == timeless(other / f"{name}.csv"), name
    assert answers(report) == answers(other)


def timeless(path: Path) -> list[dict[str, str]]:
    """Return a table's rows without the columns that differ between two executions."""
    return [
        {key: cell for key, cell in row.items() if not any(word in key for word in _OF_TIME)}
        for row in rows(path)
    ]


def answers(report: Path) -> list[Any]:
    """Return the verdicts of a report, without the facts about time."""
    found = json.loads((report / "verdict.json").read_text())["answers"]
    return [{key: own for key, own in answer.items() if key != "facts"} for answer in found]
