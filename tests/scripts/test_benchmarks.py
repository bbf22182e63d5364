"""Every benchmark runs at a tiny size and prints what it measured; how fast is not looked at."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra

import bench

SMALL = {
    "checkpoints": ("--steps 20 --hidden 8 --repeats 1", "one checkpoint: "),
    "data": ("--images 256 --workers 0 --repeats 1", "images per second; sgdlab has"),
    "diagnostics": (
        "--workloads mlp --tiers economy --cadences 1 --repeats 1 --steps 2",
        "economy          1",
    ),
    "dry": ("--runs 4", "CPU ms a run"),
    "engines": ("--only linear --runs 2 --seconds 0.01 --repeats 1", "how fast auto is of"),
    "growth": ("--runs 20", "of that at a tenth"),
    "jobs": ("--runs 3 --plain 2 --repeats 1", "composing, checking"),
    "memory": ("--runs 2 4", "parameters + state + activations"),
    "models": (
        "--steps 2 --repeats 1 --width 8 --depth 1 --context 16 --batch 4",
        "images per second",
    ),
    "proof": (
        "protocol=quick epochs=1 trials=2 seeds=2 schedule.warmup_epochs=0",
        "of a comparison",
    ),
    "reading": ("--runs 4 8", "target for 2,000 runs"),
    "report": ("--runs 8 --repeats 1", "pandas s"),
    "scaling": ("--runs 10 --steps 5 --workers 1 --sizes 4 8 16", "data-parallel processes beat"),
    "startup": ("--repeats 1", "sgdlab train max_steps=1 - import torch, optimizer: "),
    "sweep": ("--runs 2 --steps 2 --repeats 1 --peers bare hydra", "bare loop, 1 thread"),
    "train": ("--steps 4 --repeats 1", "bare loop, clip + log"),
    "trackers": ("--steps 20 --repeats 1 --trackers tensorboard", "against none"),
}
STARTS_PROCESSES = (
    "dry", "growth", "memory", "reading", "report", "scaling", "startup", "trackers",
)  # fmt: skip


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
        pytest.param(name, marks=pytest.mark.slow if name in (*STARTS_PROCESSES, "proof") else ())
        for name in SMALL
    ],
)
@pytest.mark.usefixtures("_elsewhere")
def test_it_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, prints = SMALL[name]
    bench.main([name, *arguments.split()])
    assert prints in capsys.readouterr().out
