"""What must hold on a CUDA device; skipped where there is none."""

from pathlib import Path

import pytest
import torch

from sgdlab.results import read_steps
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.run import train_run
from trainer_runs import config_of  # pyright: ignore[reportMissingImports]

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def steps_of(folder: Path, *overrides: str) -> list[float]:
    summary = train_run(config_of(*overrides, "max_steps=100"), folder, NoDisplay())
    assert summary["status"] == "completed"
    return read_steps(folder)["loss"].tolist()


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_a_run_on_cuda_follows_the_one_on_cpu(tmp_path: Path, model: str) -> None:
    common = [f"model={model}", "dtype=float64", "clip_norm=1.0", "accumulate=2"]
    cpu = steps_of(tmp_path / "cpu", *common, "device=cpu")
    cuda = steps_of(tmp_path / "cuda", *common, "device=cuda")
    assert cuda == pytest.approx(cpu, rel=1e-9)


def test_divergence_is_noticed_at_the_same_step(tmp_path: Path) -> None:
    found = [
        train_run(config_of("lr=1e6", f"device={device}"), tmp_path / device, NoDisplay())
        for device in ("cpu", "cuda")
    ]
    assert [row["status"] for row in found] == ["diverged", "diverged"]
    assert found[0]["steps"] == found[1]["steps"]


def test_memory_is_what_torch_allocated(tmp_path: Path) -> None:
    config = config_of("device=cuda", "max_steps=5", "precision=bf16")
    summary = train_run(config, tmp_path, NoDisplay())
    assert 0 < int(str(summary["peak_memory_bytes"])) < 2**30
