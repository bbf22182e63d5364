"""What is done to a model between its constructor and the optimizer, and what is said of errors."""

import pytest
import torch
from torch import nn

from sgdlab.training.advice import advice_on
from sgdlab.training.model import cast_to, complete, default_to


def test_only_numbers_that_are_floating_change_their_type() -> None:
    model = nn.BatchNorm1d(2)
    model.register_buffer("wave", torch.tensor([1 + 2j]))
    model.register_buffer("bits", torch.tensor([True]))
    cast_to(model, torch.float64)
    assert model.weight.dtype == model.running_mean.dtype == torch.float64
    assert torch.equal(model.wave, torch.tensor([1 + 2j], dtype=torch.complex128))
    assert model.num_batches_tracked.dtype == torch.int64
    assert model.bits.dtype == torch.bool


def test_the_default_type_comes_back_after_a_failure() -> None:
    class Failing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise RuntimeError(torch.get_default_dtype())

    model = Failing()
    default_to(model, torch.float64)
    with pytest.raises(RuntimeError, match=r"torch.float64"):
        model(torch.ones(1))
    assert torch.get_default_dtype() == torch.float32


def test_completing_a_model_leaves_its_modes_and_counters() -> None:
    class Counting(nn.Linear):
        calls = 0

        def forward(self, input: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return super().forward(input)

    model = nn.Sequential(Counting(2, 2), nn.BatchNorm1d(2).eval())
    complete(model, torch.ones(3, 2, dtype=torch.float64))
    assert (model[0].calls, model[0].training, model[1].training) == (0, True, False)
    assert int(model[1].num_batches_tracked) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Expected all tensors to be on the same device, but found cpu and cuda:0!", "moved"),
        ("Tensor for argument weight is on cpu but expected on cuda", "moved"),
        ("mat1 and mat2 must have the same dtype, but got Float and Double", "dtype"),
        ("expected scalar type Double but found Float", "dtype"),
        ("shape '[3]' is invalid for input of size 4", ""),
    ],
)
def test_advice_follows_what_torch_says(text: str, said: str) -> None:
    found = advice_on(RuntimeError(text))
    assert said in found
    assert bool(found) is bool(said)
