"""Models of the user's own: complex, lazy, stateful, with tensors that nobody registered."""

from pathlib import Path

import pytest
import torch
from cli_runs import Cli, rows, summary, write

PARTS = """
    import torch
    from torch import nn


    class Wave(nn.Module):
        def __init__(self, num_outputs):
            super().__init__()
            self.first = nn.Linear(13, 6, dtype=torch.complex64)
            self.register_buffer("phase", torch.tensor(1j))
            self.register_buffer("mask", torch.ones(13, dtype=torch.bool))
            self.out = nn.Linear(6, num_outputs)

        def forward(self, x):
            assert self.phase.imag.item() == 1 and self.mask.dtype == torch.bool
            h = self.first((x * self.mask).to(self.first.weight.dtype)) * self.phase
            return self.out(h.real + h.imag)


    class Padded(nn.Module):
        def __init__(self, num_outputs):
            super().__init__()
            self.out = nn.Linear(14, num_outputs)

        def forward(self, x):
            return self.out(torch.cat([x, torch.ones(len(x), 1)], 1) @ torch.eye(14))


    class Lazily(nn.Module):
        def __init__(self, num_outputs):
            super().__init__()
            self.out, self.inner = nn.Linear(5, num_outputs), None

        def forward(self, x):
            if self.inner is None:
                self.inner = nn.Linear(x.shape[1], 5)
            return self.out(torch.relu(self.inner(x)))


    class Counting(nn.Module):
        def __init__(self, num_outputs):
            super().__init__()
            self.out, self.calls = nn.Linear(13, num_outputs), 0

        def get_extra_state(self):
            return {"calls": self.calls, "name": "counting"}

        def set_extra_state(self, state):
            self.calls = state["calls"]

        def forward(self, x):
            self.calls += self.training
            return self.out(x) * (1 + self.calls / 100)


    class Keeping(nn.Module):
        def __init__(self, num_outputs):
            super().__init__()
            self.out, self.turn = nn.Linear(13, num_outputs), torch.eye(13)

        def forward(self, x):
            return self.out(x @ self.turn)
"""


@pytest.fixture
def shop(parts: Path) -> Path:
    write(parts / "odd_models.py", PARTS)
    for name in ("Wave", "Padded", "Lazily", "Counting", "Keeping"):
        write(parts / "model" / f"{name.lower()}.yaml", f"_target_: odd_models.{name}\n")
    return parts


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("optimizer", ["adamw", "nesterov"])
def test_complex_parameters_are_trained_as_complex(
    sgdlab: Cli, shop: Path, dtype: str, optimizer: str
):
    run = sgdlab.train(
        "run", "model=wave", f"optimizer={optimizer}", f"dtype={dtype}", "epochs=10", "lr=0.02",
        "average=ema", parts=shop,
    )  # fmt: skip
    assert float(summary(run)["final_train_loss"]) < 0.5


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (
            "optimizer=lion",
            "optimizer=lion: model=wave has complex parameters (first",
        ),
        (
            "optimizer=muon",
            "optimizer=muon: model=wave has complex parameters (first",
        ),
        ("diagnostics=business", "diagnostics=business: model=wave has complex parameters (first"),
    ],
)
def test_what_is_wrong_for_complex_parameters_is_refused(
    sgdlab: Cli, shop: Path, setting: str, said: str
):
    result = sgdlab("train", "--config-dir", shop, "dataset=wine", "model=wave", setting)
    assert result.code == 2
    assert said in result.err
    assert not (sgdlab.folder / "runs").exists()


def test_tensors_made_in_forward_have_the_type_of_the_run(sgdlab: Cli, shop: Path):
    double = sgdlab.train("double", "model=padded", "dtype=float64", "epochs=3", parts=shop)
    single = sgdlab.train("single", "model=padded", "epochs=3", parts=shop)
    losses = [float(summary(run)["final_train_loss"]) for run in (double, single)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert torch.get_default_dtype() == torch.float32


def test_layers_that_a_forward_creates_are_trained(sgdlab: Cli, shop: Path):
    run = sgdlab.train("run", "model=lazily", "epochs=2", parts=shop)
    row = summary(run)
    assert (row["num_parameters"], row["num_decayed"]) == (str(70 + 18), str(65 + 15))
    again = sgdlab.train("again", "model=lazily", "epochs=2", parts=shop)
    assert (run / "steps.csv").read_bytes() == (again / "steps.csv").read_bytes()


def test_a_state_that_is_no_tensor_is_left_alone_and_kept(sgdlab: Cli, shop: Path):
    run = sgdlab.train(
        "run", "model=counting", "epochs=2", "checkpoint.every=3", "average=ema", parts=shop
    )
    assert summary(run)["status"] == "completed"
    assert len(rows(run / "steps.csv")) == int(summary(run)["steps"])


def test_tensors_that_are_not_registered_are_named_where_they_fail(sgdlab: Cli, shop: Path):
    result = sgdlab(
        "train", "--config-dir", shop, "dataset=wine", "model=keeping", "dtype=float64",
        "max_steps=1", "hydra.run.dir=run",
    )  # fmt: skip
    assert result.code == 2
    said = "; a tensor that the model keeps is not of the run's dtype: register it with"
    assert said in result.err
    assert not (sgdlab.folder / "run").exists()
