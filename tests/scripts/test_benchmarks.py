"""Every benchmark runs at a tiny size and prints what it measured; how fast is not looked at."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

import bench

SMALL = {
    "diagnostics": (
        "--workloads mlp --tiers economy --cadences 1 --repeats 1 --steps 2",
        "economy          1",
    ),
    "engines": ("--only linear --runs 2 --seconds 0.01 --repeats 1", "auto at worst"),
    "jobs": ("--runs 3 --plain 2 --repeats 1", "composing, checking"),
    "memory": ("--runs 2 4", "parameters + state + activations"),
    "report": ("--runs 8 --repeats 1", "pandas s"),
    "startup": ("--repeats 1", "sgdlab train max_steps=1 - import torch, optimizer: "),
    "sweep": ("--runs 2 --steps 2 --repeats 1 --peers bare hydra", "bare loop, 1 thread"),
    "train": ("--steps 4 --repeats 1", "bare loop, clip + log"),
}
STARTS_PROCESSES = ("memory", "report", "startup")


@pytest.fixture
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder, and leave torch and Hydra as they were."""
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    GlobalHydra.instance().clear()
    yield
    torch.set_num_threads(threads)
    GlobalHydra.instance().clear()


def test_every_benchmark_has_a_size_that_a_test_can_take() -> None:
    assert set(bench.benchmarks()) == set(SMALL)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in STARTS_PROCESSES else ())
        for name in SMALL
    ],
)
@pytest.mark.usefixtures("_elsewhere")
def test_it_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, prints = SMALL[name]
    bench.main([name, *arguments.split()])
    assert prints in capsys.readouterr().out
