"""The airbench network against its formula, written with plain functions."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgdlab.errors import InputError
from sgdlab.models.airbench import Airbench, ConvGroup, ShiftNorm
from trainer_runs import built


def test_the_model_is_its_formula() -> None:
    torch.manual_seed(0)
    model = Airbench(input_shape=(3, 32, 32), num_outputs=5, width=2).double()
    with torch.no_grad():  # no shift is 0
        for p in model.parameters():
            p += 0.1 * torch.randn_like(p)
    state = {name: p.detach() for name, p in model.named_parameters()}
    x = torch.randn(4, 3, 32, 32, dtype=torch.float64)

    def gelu(h: Tensor) -> Tensor:
        return h * (1 + torch.erf(h / 2**0.5)) / 2

    def norm(h: Tensor, name: str) -> Tensor:
        mean, variance = h.mean((0, 2, 3), keepdim=True), h.var((0, 2, 3), False, keepdim=True)
        return (h - mean) / (variance + 1e-12).sqrt() + state[f"{name}.shift"][:, None, None]

    h = gelu(F.conv2d(x, state["first.weight"], state["first.bias"]))
    assert h.shape == (4, 24, 31, 31)
    for name, edge in (("groups.0", 15), ("groups.1", 7), ("groups.2", 3)):
        h = F.max_pool2d(F.conv2d(h, state[f"{name}.conv1.weight"], padding=1), 2)
        h = gelu(norm(h, f"{name}.norm1"))
        h = gelu(norm(F.conv2d(h, state[f"{name}.conv2.weight"], padding=1), f"{name}.norm2"))
        assert h.shape[2:] == (edge, edge)
    expected = F.max_pool2d(h, 3).flatten(1) @ state["head.weight"].T / 9
    torch.testing.assert_close(model(x), expected, rtol=1e-10, atol=1e-10)


def test_on_photos_it_has_the_size_of_airbench94() -> None:
    with torch.device("meta"):
        model = Airbench(input_shape=(3, 32, 32), num_outputs=10)
    count = sum(p.numel() for p in model.parameters())
    kernels = [24 * 64, 64 * 64, 64 * 256, 256 * 256, 256 * 256, 256 * 256]
    assert count == (24 * 12 + 24) + 9 * sum(kernels) + 2 * (64 + 256 + 256) + 2560
    assert count / 1e6 == pytest.approx(1.97, abs=0.01)  # as published


def test_norm_has_batch_norms_statistics_and_a_shift() -> None:
    torch.manual_seed(0)
    norm, other = ShiftNorm(3), nn.BatchNorm2d(3, eps=1e-12, momentum=0.4)
    assert [name for name, _ in norm.named_parameters()] == ["shift"]
    with torch.no_grad():
        norm.shift.copy_(torch.tensor([1.0, -2.0, 3.0]))
        other.bias.copy_(norm.shift)
    for mode in (True, False):
        x = 5 + 2 * torch.randn(4, 3, 2, 2)
        torch.testing.assert_close(norm.train(mode)(x), other.train(mode)(x))
    torch.testing.assert_close(norm.running_mean, other.running_mean)
    torch.testing.assert_close(norm.running_var, other.running_var)


def test_kernels_start_as_the_identity_on_the_channels_that_there_are() -> None:
    group = ConvGroup(2, 5, True)
    x = torch.randn(1, 2, 4, 4)
    torch.testing.assert_close(group.conv1(x)[:, :2], x)
    assert not torch.equal(group.conv1(x)[:, 2], x[:, 0])
    h = torch.randn(1, 5, 3, 3)
    torch.testing.assert_close(group.conv2(h), h)


@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 3, 40), (1, 28, 28)], ids=str)
def test_images_of_any_size_are_taken(shape: tuple[int, ...]) -> None:
    model = Airbench(input_shape=shape, num_outputs=2, width=2)
    assert model(torch.randn(4, *shape)).shape == (4, 2)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"input_shape": (30,)}, "model=airbench needs images"),
        ({"input_shape": (1, 1, 8)}, "model=airbench needs images of at least 2 by 2 pixels"),
        ({"width": 0}, "model.width=0"),
        ({"output_scale": 0}, "model.output_scale=0: must be a number above 0"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Airbench(**{"input_shape": (1, 8, 8), "num_outputs": 3, **settings})


def test_muon_takes_the_kernels_and_mup_is_refused() -> None:
    run = built("dataset=digits", "optimizer=muon", "model=airbench", "model.width=2")
    names = {p: name for name, p in run.model.named_parameters()}
    hidden = {names[p] for g in run.optimizer.param_groups if g["use_muon"] for p in g["params"]}
    assert hidden == {n for n, p in run.model.named_parameters() if p.ndim == 4}
    with pytest.raises(InputError, match="Airbench does not say how it grows"):
        built("dataset=digits", "model=airbench", "model.width=2", "parametrization=mup")
