import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from layer_runs import (
    STACK,
    alone,
    assert_same_bits_in_any_stack,
    batch_last,
    draw,
    largest_gap,
    load,
    modules_like,
    together,
)
from torch import nn

from sgdlab.stacked.layers.batch_norm import BatchNorm

SHAPES = [(64, 7), (2, 1), (5, 3), (64, 4, 8, 8), (1, 2, 3, 3), (3, 1, 1, 1), (2, 3, 1, 5)]
SETTINGS = [
    {},
    {"momentum": None},
    {"momentum": 0.7, "eps": 0.1},
    {"affine": False},
    {"track_running_stats": False},
]


def _module(shape, dtype: torch.dtype = torch.float64, **own) -> nn.Module:
    form = nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d
    return form(shape[1], dtype=dtype, **own)


@pytest.mark.parametrize("own", SETTINGS, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_agrees_with_torch_over_several_steps(shape, own) -> None:
    modules = modules_like(_module(shape, **own), 3)
    layer = BatchNorm(modules[0])
    params = load(layer, modules)
    for step in range(4):
        x = 2 * draw(3, *shape, seed=10 + step) + 1
        stack, reference = together(layer, params, x), alone(modules, x)
        assert stack.buffers.keys() == reference.buffers.keys()
        assert largest_gap(stack, reference) < 1e-12
    x = draw(3, *shape)
    y, _ = layer.forward(params, batch_last(x), False)
    before = {name: value.clone() for name, value in layer.buffers.items()}
    expected = torch.stack([m.eval()(own_x) for m, own_x in zip(modules, x, strict=True)])
    assert (y - batch_last(expected)).abs().max() < 1e-12
    assert all(torch.equal(layer.buffers[name], value) for name, value in before.items())


@given(st.integers(2, 40), st.integers(1, 5), st.floats(-100, 100), st.floats(0.01, 100))
def test_agrees_with_torch_at_any_location_and_scale(batch, channels, location, scale) -> None:
    modules = modules_like(_module((batch, channels)), 2)
    layer = BatchNorm(modules[0])
    x = location + scale * draw(2, batch, channels)
    stack, reference = together(layer, load(layer, modules), x), alone(modules, x)
    assert largest_gap(stack, reference) < 1e-12 * max(1.0, (abs(location) / scale) ** 2)


@pytest.mark.parametrize("own", SETTINGS, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_single_precision_differs_by_rounding(shape, own) -> None:
    modules = modules_like(_module(shape, torch.float32, **own), 3)
    layer = BatchNorm(modules[0])
    x = draw(3, *shape, dtype=torch.float32)
    stack, reference = together(layer, load(layer, modules), x), alone(modules, x)
    # a pair of values may nearly coincide, and their gradient is a small difference
    assert largest_gap(stack, reference) < 2e-4
    assert stack.y.dtype == torch.float32


def test_runs_at_different_steps_average_their_own_number_of_batches() -> None:
    modules = modules_like(_module((5, 3), momentum=None), 2)
    for _ in range(3):
        modules[1](draw(5, 3))
    layer = BatchNorm(modules[0])
    params = load(layer, modules)
    x = draw(2, 5, 3)
    assert largest_gap(together(layer, params, x), alone(modules, x)) < 1e-12
    assert layer.buffers["num_batches_tracked"].tolist() == [1, 4]


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1, 1)])
@pytest.mark.parametrize("train", [True, False])
def test_single_value_per_channel_is_refused_as_by_torch(shape, train: bool) -> None:
    module = _module(shape, track_running_stats=train).train(train)
    with pytest.raises(ValueError, match="Expected more than 1 value") as torchs:
        module(draw(*shape))
    layer = BatchNorm(module)
    params = load(layer, [module, module])
    with pytest.raises(ValueError, match="Expected more than 1 value") as own:
        layer.forward(params, batch_last(draw(2, *shape)), train)
    assert str(own.value) == str(torchs.value)


def test_single_value_is_no_matter_in_evaluation() -> None:
    module = _module((1, 3))
    layer = BatchNorm(module)
    y, _ = layer.forward(load(layer, [module, module]), draw(2, 1, 3), False)
    assert torch.isfinite(y).all()


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_bits_do_not_depend_on_the_stack(shape, dtype, train: bool) -> None:
    x = draw(STACK, *shape, dtype=dtype)
    module = _module(shape, dtype)
    if train:
        assert_same_bits_in_any_stack(BatchNorm, module, x)
    else:
        modules = modules_like(module, STACK)
        layer = BatchNorm(module)
        y, _ = layer.forward(load(layer, modules), batch_last(x), False)
        pair, _ = layer.forward(load(layer, modules[-2:]), batch_last(x[-2:]), False)
        assert torch.equal(y[-2:], pair)


def test_bits_of_wide_layers_do_not_depend_on_the_stack() -> None:
    for shape in ((64, 300), (300, 33), (8, 16, 16, 16)):
        x = draw(STACK, *shape, dtype=torch.float32)
        assert_same_bits_in_any_stack(BatchNorm, _module(shape, torch.float32), x)


def test_inputs_common_to_all_runs() -> None:
    modules = modules_like(_module((4, 3)), 3)
    layer = BatchNorm(modules[0])
    params = load(layer, modules)
    x = draw(1, 4, 3).expand(3, -1, -1)
    before = x.clone()
    y, saved = layer.forward(params, x, True)
    own, again = layer.forward(params, x.contiguous(), True)
    assert torch.equal(y, own)
    assert torch.equal(x, before)
    d = draw(3, 4, 3)
    dx, gradients = layer.backward(params, saved, d.clone(), False)
    assert dx is None
    expected = layer.backward(params, again, d.clone(), True)[1]
    assert all(torch.equal(a, b) for a, b in zip(gradients, expected, strict=True))


def test_refuses_what_it_cannot_compute() -> None:
    assert BatchNorm.refusal(nn.BatchNorm1d(3)) is None
    assert BatchNorm.refusal(nn.BatchNorm2d(3)) is None
    assert "BatchNorm3d" in str(BatchNorm.refusal(nn.BatchNorm3d(3)))
    assert "SyncBatchNorm" in str(BatchNorm.refusal(nn.SyncBatchNorm(3)))
