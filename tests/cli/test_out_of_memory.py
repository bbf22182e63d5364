"""Out of memory ends a run as failed, with the advice that keeps the effective batch."""

from pathlib import Path

import pytest
from cli_runs import QUICK, Cli, Result, rows, summary, write

from sgdlab.config.instantiate import is_out_of_memory

HUNGRY = """
    import torch
    from torch import nn


    class Hungry(nn.Linear):
        def __init__(self, input_shape, num_outputs, how="cuda"):
            super().__init__(input_shape[0], num_outputs)
            self.how = how
            if how == "building":
                torch.empty(10**15)

        def forward(self, x):
            if self.training and self.how == "cpu":
                torch.empty(10**15)  # torch's own error, whatever its words are
            if self.training and self.how == "cuda":
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return super().forward(x)
"""


@pytest.fixture
def hungry(sgdlab: Cli, parts: Path):
    """Trains a model that runs out of memory in the given way; returns the result."""
    write(parts / "own_hungry.py", HUNGRY)
    write(parts / "model" / "hungry.yaml", "_target_: own_hungry.Hungry\nhow: cuda\n")

    def run(*arguments: str) -> Result:
        return sgdlab(
            "train", "--config-dir", parts, *QUICK, "model=hungry", "hydra.run.dir=run", *arguments
        )

    return run


@pytest.mark.parametrize("how", ["cuda", "cpu"])
def test_out_of_memory_fails_with_advice(hungry, sgdlab: Cli, how: str):
    result = hungry(f"model.how={how}", "batch_size=48", "accumulate=2")
    assert result.code == 1
    row = summary(sgdlab.folder / "run")
    assert row["status"] == "failed"
    assert "out of memory: try batch_size=24 accumulate=4" in row["reason"]
    assert "out of memory: try batch_size=24" in result.out
    assert "Traceback" not in result.err
    assert (sgdlab.folder / "run" / "error.txt").is_file()
    assert [row["split"] for row in rows(sgdlab.folder / "run" / "evals.csv")] == ["train", "val"]
    assert row["final_val_loss"] == ""


def test_out_of_memory_with_a_full_batch_still_advises(hungry, sgdlab: Cli):
    assert hungry("batch_size=full").code == 1
    assert "halve batch_size" in summary(sgdlab.folder / "run")["reason"]


def test_a_model_too_large_to_build_is_refused_before_it_is(hungry, sgdlab: Cli):
    result = hungry("model.how=building")
    assert result.code == 2
    assert "model=hungry: its weights take at least" in result.err
    assert not (sgdlab.folder / "run").exists()


@pytest.mark.parametrize("library", ["CUBLAS", "CUDNN"])
def test_a_library_without_room_is_out_of_memory_too(library: str):
    assert is_out_of_memory(RuntimeError(f"CUDA error: {library}_STATUS_ALLOC_FAILED in create"))
    assert not is_out_of_memory(RuntimeError(f"CUDA error: {library}_STATUS_EXECUTION_FAILED"))
