import math
from typing import Any

import pytest
import torch
from torch import nn

from sgdlab.errors import InputError
from sgdlab.models.cnn import CNN
from sgdlab.models.linear import Linear
from sgdlab.models.mlp import MLP
from sgdlab.models.parts import ACTIVATIONS


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def test_linear_is_an_affine_map_of_the_flattened_input() -> None:
    model = Linear(input_shape=(2, 3), num_outputs=4)
    x = torch.randn(5, 2, 3)
    weight, bias = model.parameters()
    assert torch.allclose(model(x), x.reshape(5, 6) @ weight.T + bias, atol=1e-6)
    assert count(Linear(input_shape=(2, 3), num_outputs=4, bias=False)) == 24


def test_mlp_equals_its_formula() -> None:
    torch.manual_seed(0)
    model = MLP(input_shape=(1, 8, 8), num_outputs=10, hidden=[32, 16], activation="tanh").double()
    x = torch.randn(6, 1, 8, 8, dtype=torch.float64)
    w1, b1, w2, b2, w3, b3 = (p.detach() for p in model.parameters())
    h = (x.reshape(6, 64) @ w1.T + b1).tanh()
    expected = (h @ w2.T + b2).tanh() @ w3.T + b3
    assert torch.allclose(model(x), expected, atol=1e-12)


def test_mlp_without_hidden_layers_is_linear() -> None:
    torch.manual_seed(0)
    mlp = MLP(input_shape=(7,), num_outputs=3, hidden=[])
    torch.manual_seed(0)
    linear = Linear(input_shape=(7,), num_outputs=3)
    x = torch.randn(4, 7)
    assert torch.equal(mlp(x), linear(x))


def test_mlp_size_with_batch_norm_and_dropout() -> None:
    model = MLP(input_shape=(8,), num_outputs=2, hidden=[5], batch_norm=True, dropout=0.5)
    assert count(model) == (8 * 5 + 5) + 2 * 5 + (5 * 2 + 2)
    kinds = [type(layer).__name__ for layer in model]
    assert kinds == ["Flatten", "Linear", "BatchNorm1d", "ReLU", "Dropout", "Linear"]
    x = torch.randn(6, 8)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_weights_start_as_torch_draws_them() -> None:
    weight = next(MLP(input_shape=(100,), num_outputs=2, hidden=[2000]).parameters())
    bound = 1 / math.sqrt(100)
    assert float(weight.detach().abs().max()) <= bound
    assert float(weight.detach().std()) == pytest.approx(bound / math.sqrt(3), rel=0.01)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_is_torchs_function(name: str) -> None:
    model = MLP(input_shape=(3,), num_outputs=3, hidden=[3], activation=name)
    layer = next(module for module in model if type(module) is ACTIVATIONS[name])
    function = getattr(torch, name, None) or getattr(nn.functional, name)
    z = torch.linspace(-2, 2, 9)
    assert torch.allclose(layer(z), function(z))


def test_cnn_size_on_digits() -> None:
    model = CNN(input_shape=(1, 8, 8), num_outputs=10)
    convolutions = (16 * 9 + 16) + (32 * 16 * 9 + 32)
    assert count(model) == convolutions + (32 * 2 * 2 * 64 + 64) + (64 * 10 + 10)


def test_cnn_equals_its_formula() -> None:
    torch.manual_seed(0)
    model = CNN(input_shape=(2, 5, 4), num_outputs=3, channels=[4], hidden=[], kernel_size=3)
    x = torch.randn(6, 2, 5, 4)
    w, b, w_out, b_out = model.parameters()
    padded = torch.zeros(6, 2, 7, 6)
    padded[:, :, 1:-1, 1:-1] = x
    windows = padded.unfold(2, 3, 1).unfold(3, 3, 1)
    h = (torch.einsum("nchwij,ocij->nohw", windows, w) + b[None, :, None, None]).relu()
    pooled = h[:, :, :4, :4].reshape(6, 4, 2, 2, 2, 2).amax(dim=(3, 5))
    assert torch.allclose(model(x), pooled.reshape(6, -1) @ w_out.T + b_out, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 9), (1, 28, 28)], ids=str)
def test_cnn_deeper_than_the_image_keeps_single_pixels(shape: tuple[int, ...]) -> None:
    model = CNN(input_shape=shape, num_outputs=2, channels=[4] * 6, batch_norm=True)
    assert model(torch.randn(3, *shape)).shape == (3, 2)
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert all(conv.bias is None for conv in convolutions)


@pytest.mark.parametrize(
    ("kind", "settings", "says"),
    [
        (MLP, {"hidden": [-1]}, r"model.hidden=\[-1\]: widths must be whole numbers from 1"),
        (MLP, {"hidden": [64, 2.5]}, "whole numbers"),
        (MLP, {"hidden": [True]}, "whole numbers"),
        (MLP, {"hidden": 64}, r"model.hidden=64: must be a list, such as \[64\]"),
        (MLP, {"activation": "rleu"}, r"model.activation=rleu: did you mean .*relu"),
        (MLP, {"activation": None}, "model.activation=None"),
        (MLP, {"hidden": [], "activation": "rleu"}, "did you mean"),
        (MLP, {"dropout": 1.0}, "model.dropout=1.0: must be a number from 0 to below 1"),
        (MLP, {"dropout": "lots"}, "model.dropout=lots"),
        (CNN, {"channels": []}, r"model.channels=\[\]: needs at least 1"),
        (CNN, {"channels": [0]}, "model.channels"),
        (CNN, {"kernel_size": 4}, "model.kernel_size=4: must be an odd number"),
        (CNN, {"kernel_size": -3}, "model.kernel_size"),
        (CNN, {"hidden": [0]}, "model.hidden"),
        (CNN, {"input_shape": (30,)}, "model=cnn needs images.*model=mlp"),
        (CNN, {"input_shape": (8, 8)}, r"x\[:, None\]"),
    ],
)
def test_bad_settings_are_refused(kind: Any, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        kind(**{"input_shape": (1, 8, 8), "num_outputs": 3, **settings})


@pytest.mark.parametrize("kind", [Linear, MLP, CNN])
def test_integer_inputs_are_refused_with_the_remedy(kind: Any) -> None:
    model = kind(input_shape=(1, 4, 4), num_outputs=2)
    with pytest.raises(InputError, match="float32"):
        model(torch.ones(2, 1, 4, 4, dtype=torch.int64))
