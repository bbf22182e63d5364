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

from sgdlab.stacked.layers import conv
from sgdlab.stacked.layers.conv import Conv2d

SHAPES = [
    # batch, channels in and out, height, width, kernel, stride, padding
    (64, 1, 16, 8, 8, 3, 1, 1),
    (5, 16, 32, 4, 4, 3, 1, 1),
    (1, 2, 3, 5, 7, 3, 2, 0),
    (3, 2, 3, 7, 6, 5, 2, 2),
    (3, 3, 2, 6, 5, 1, 1, 0),
    (4, 1, 1, 5, 5, 1, 1, 0),
    (4, 2, 1, 5, 5, 3, 1, 1),
    (1, 1, 4, 1, 1, 1, 1, 0),
    (1, 1, 1, 1, 1, 1, 1, 0),
    (1, 3, 4, 3, 3, 3, 1, 0),
    (6, 2, 3, 9, 4, (3, 2), (3, 1), (0, 1)),
    (2, 1, 2, 2, 2, 1, 3, 2),
]


def _module(shape, bias: bool = True, dtype: torch.dtype = torch.float64) -> nn.Conv2d:
    _, inputs, outputs, _, _, kernel, stride, padding = shape
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=bias, dtype=dtype)


def _inputs(shape, runs: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    batch, channels, _, height, width, *_ = shape
    return draw(runs, batch, channels, height, width, dtype=dtype)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_agrees_with_torch(shape, bias: bool) -> None:
    modules = modules_like(_module(shape, bias), 3)
    x = _inputs(shape, 3)
    layer = Conv2d(modules[0])
    assert largest_gap(together(layer, load(layer, modules), x), alone(modules, x)) < 1e-12


@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 3),
    st.tuples(*[st.integers(1, 4)] * 2),
    st.tuples(*[st.integers(1, 3)] * 2),
    st.tuples(*[st.integers(0, 3)] * 2),
    st.tuples(*[st.integers(0, 4)] * 2),
)
def test_agrees_with_torch_on_any_shape(batch, inputs, outputs, kernel, stride, padding, more):
    least = [max(1, k - 2 * p) for k, p in zip(kernel, padding, strict=True)]
    size = [low + extra for low, extra in zip(least, more, strict=True)]
    shape = (batch, inputs, outputs, *size, kernel, stride, padding)
    modules = modules_like(_module(shape), 2)
    x = _inputs(shape, 2)
    layer = Conv2d(modules[0])
    assert largest_gap(together(layer, load(layer, modules), x), alone(modules, x)) < 1e-12


@pytest.mark.parametrize("shape", SHAPES)
def test_single_precision_differs_by_rounding(shape) -> None:
    modules = modules_like(_module(shape, dtype=torch.float32), 2)
    x = _inputs(shape, 2, torch.float32)
    layer = Conv2d(modules[0])
    own = together(layer, load(layer, modules), x)
    assert own.y.dtype == torch.float32
    assert largest_gap(own, alone(modules, x)) < 2e-5


@pytest.mark.parametrize("limits", [(1, 1), (1, 2**22), (4000, 9000), (2**20, 1)])
@pytest.mark.parametrize("shape", SHAPES[1:4])
def test_work_in_parts_gives_the_same(shape, limits, monkeypatch) -> None:
    modules = modules_like(_module(shape), STACK)
    x = _inputs(shape, STACK)
    layer = Conv2d(modules[0])
    params = load(layer, modules)
    whole = together(layer, params, x)
    monkeypatch.setattr(conv, "_CPU_BYTES", limits)
    assert largest_gap(together(layer, params, x), whole) < 1e-13


@pytest.mark.parametrize("limits", [None, (1, 1), (4000, 20000)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_bits_do_not_depend_on_the_stack(shape, dtype, limits, monkeypatch) -> None:
    if limits is not None:
        monkeypatch.setattr(conv, "_CPU_BYTES", limits)
    module = _module(shape, dtype=dtype)
    assert_same_bits_in_any_stack(Conv2d, module, _inputs(shape, STACK, dtype))


def test_bits_of_large_images_do_not_depend_on_the_stack() -> None:
    shape = (16, 3, 16, 32, 32, 3, 1, 1)
    module = _module(shape, dtype=torch.float32)
    assert_same_bits_in_any_stack(Conv2d, module, _inputs(shape, STACK, torch.float32))


def test_same_layer_takes_batches_of_different_sizes_in_turn() -> None:
    modules = modules_like(_module(SHAPES[1]), 2)
    layer = Conv2d(modules[0])
    params = load(layer, modules)
    for batch in (5, 2, 9, 5):
        x = draw(2, batch, 16, 4, 4, seed=batch)
        assert largest_gap(together(layer, params, x), alone(modules, x)) < 1e-12


def test_results_outlive_the_next_pass() -> None:
    modules = modules_like(_module(SHAPES[1]), 2)
    layer = Conv2d(modules[0])
    params = load(layer, modules)
    first = together(layer, params, _inputs(SHAPES[1], 2))
    kept = [value.clone() for value in first.tensors()]
    together(layer, params, draw(2, 5, 16, 4, 4, seed=9))
    assert all(torch.equal(a, b) for a, b in zip(first.tensors(), kept, strict=True))


@pytest.mark.parametrize("padding", [0, 1])
def test_inputs_common_to_all_runs(padding: int) -> None:
    module = nn.Conv2d(2, 3, 3, padding=padding, dtype=torch.float64)
    modules = modules_like(module, 4)
    layer = Conv2d(module)
    params = load(layer, modules)
    x = draw(1, 5, 2, 6, 6)
    shared = batch_last(x).expand(4, -1, -1, -1, -1)
    before = shared.clone()
    y, saved = layer.forward(params, shared, True)
    dx, gradients = layer.backward(params, saved, torch.ones_like(y), False)
    other, saved = layer.forward(params, shared.contiguous(), True)
    expected = layer.backward(params, saved, torch.ones_like(y), False)[1]
    assert dx is None
    assert torch.equal(shared, before)
    assert torch.equal(y, other)
    assert all(torch.equal(a, b) for a, b in zip(gradients, expected, strict=True))


def test_takes_images_that_only_look_transposed() -> None:
    modules = modules_like(_module(SHAPES[1]), 2)
    layer = Conv2d(modules[0])
    params = load(layer, modules)
    x = _inputs(SHAPES[1], 2)
    y, _ = layer.forward(params, x.permute(0, 2, 3, 4, 1), True)
    assert torch.equal(y, layer.forward(params, batch_last(x), True)[0])


def test_unpack_undoes_pack() -> None:
    layer = Conv2d(nn.Conv2d(3, 4, (2, 5)))
    weight, bias = draw(6, 4, 3, 2, 5), draw(6, 4)
    packed = layer.pack("weight", weight)
    assert packed.shape == (6, 30, 4)
    assert packed.is_contiguous()
    assert torch.equal(layer.unpack("weight", packed), weight)
    assert torch.equal(layer.unpack("bias", layer.pack("bias", bias)), bias)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Conv2d(4, 4, 3, groups=2), "groups"),
        (nn.Conv2d(4, 4, 3, dilation=2), "dilated"),
        (nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), "padding_mode=reflect"),
        (nn.Conv2d(4, 4, 3, padding="same"), "padding=same"),
        (nn.ConvTranspose2d(4, 4, 3), "ConvTranspose2d has no stacked form"),
    ],
)
def test_refuses_what_it_cannot_compute(module: nn.Module, words: str) -> None:
    reason = Conv2d.refusal(module)
    assert reason is not None
    assert words in reason


def test_takes_ordinary_convolutions() -> None:
    assert Conv2d.refusal(nn.Conv2d(4, 4, (3, 1), stride=2, padding=(1, 0), bias=False)) is None
