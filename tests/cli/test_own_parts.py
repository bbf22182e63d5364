"""Own parts by YAML: a user's model, data, loss, optimizer and schedule."""

from pathlib import Path

import pytest
from cli_runs import QUICK, Cli, rows, summary, write

PARTS = """
    import numpy as np
    import torch
    from torch import nn


    def two_blobs(n=50, gap=2.0):
        rng = np.random.default_rng(0)
        y = np.arange(n) % 2
        return rng.normal(size=(n, 3)) + gap * y[:, None], y


    class Bias(nn.Module):
        def __init__(self, num_outputs):
            super().__init__()
            self.scores = nn.Parameter(torch.zeros(num_outputs))

        def forward(self, x):
            return self.scores.expand(len(x), -1)


    class Constant(nn.Module):
        def __init__(self, level):
            super().__init__()
            self.level = level

        def forward(self, outputs, y):
            return self.level + 0 * outputs.sum()


    class Still(torch.optim.Optimizer):
        def __init__(self, params, lr, patience=1):
            super().__init__(params, {"lr": lr})

        def step(self):
            pass


    class Halving:
        def __init__(self, factor):
            self.factor = factor

        def __call__(self, step, total_steps, steps_per_epoch):
            return self.factor**step
"""


@pytest.fixture
def shop(parts: Path) -> Path:
    """A --config-dir with one part of every kind."""
    write(parts / "own_shop.py", PARTS)
    write(parts / "dataset" / "blobs.yaml", "_target_: own_shop.two_blobs\nn: 50\ngap: 2.0\n")
    write(parts / "model" / "bias.yaml", "_target_: own_shop.Bias\n")
    write(parts / "loss" / "level.yaml", "_target_: own_shop.Constant\nlevel: 7.5\n")
    write(parts / "optimizer" / "still.yaml", "_target_: own_shop.Still\nlr: 0.1\npatience: 1\n")
    write(parts / "schedule" / "halving.yaml", "_target_: own_shop.Halving\nfactor: 0.5\n")
    return parts


def test_own_data_are_trained_on(sgdlab: Cli, shop: Path):
    run = sgdlab.train(
        "run", "dataset=blobs", "dataset.n=60", "batch_size=12", "epochs=1", parts=shop
    )
    assert summary(run)["dataset"] == "blobs"
    assert summary(run)["examples"] == "36"
    assert summary(run)["num_parameters"] == str(3 * 2 + 2)


def test_an_own_model_is_trained(sgdlab: Cli, shop: Path):
    run = sgdlab.train("run", "model=bias", "epochs=1", parts=shop)
    assert (summary(run)["model"], summary(run)["num_parameters"]) == ("bias", "3")


def test_an_own_loss_is_minimised(sgdlab: Cli, shop: Path):
    run = sgdlab.train("run", "loss=level", "loss.level=2.5", "epochs=1", parts=shop)
    assert {row["loss"] for row in rows(run / "steps.csv")} == {"2.5"}


def test_an_own_optimizer_takes_the_steps(sgdlab: Cli, shop: Path):
    run = sgdlab.train("run", "optimizer=still", "optimizer.patience=4", "epochs=3", parts=shop)
    assert len({row["loss"] for row in rows(run / "evals.csv") if row["split"] == "train"}) == 1
    assert summary(run)["optimizer"] == "still"
    assert summary(run)["optimizer.patience"] == "4"


def test_an_own_schedule_sets_the_learning_rate(sgdlab: Cli, shop: Path):
    run = sgdlab.train("run", "schedule=halving", "lr=0.5", "batch_size=32", "epochs=1", parts=shop)
    assert [row["lr"] for row in rows(run / "steps.csv")] == ["0.5", "0.25", "0.125", "0.0625"]
    assert summary(run)["schedule.factor"] == "0.5"


@pytest.mark.slow
def test_own_parts_sweep_beside_shipped_ones(sgdlab: Cli, shop: Path):
    result = sgdlab(
        "train", "-m", "--config-dir", shop, *QUICK, "study=s", "max_steps=2",
        "optimizer=sgd,still", "model=bias,linear",
    )  # fmt: skip
    assert result.code == 0, result.err
    table = rows(sgdlab.folder / "runs/s/runs.csv")
    found = {(row["optimizer"], row["model"]) for row in table}
    assert found == {(o, m) for o in ("sgd", "still") for m in ("bias", "linear")}


def test_a_part_in_the_working_directory_is_found_too(sgdlab: Cli, parts: Path):
    write(sgdlab.folder / "own_beside.py", "import torch\nclass Mine(torch.optim.Adam): pass\n")
    write(parts / "optimizer" / "beside.yaml", "_target_: own_beside.Mine\nlr: 0.01\n")
    run = sgdlab.train("run", "optimizer=beside", "max_steps=1", parts=parts)
    assert summary(run)["optimizer"] == "beside"
