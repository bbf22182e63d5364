import pytest
import torch
from layer_runs import (
    STACK,
    alone,
    assert_same_bits_in_any_stack,
    batch_first,
    batch_last,
    draw,
    load,
    together,
)
from torch import nn

from sgdlab.stacked.layers.pool import MaxPool2d

POOLS = [
    nn.MaxPool2d(2),
    nn.MaxPool2d(3),
    nn.MaxPool2d(1),
    nn.MaxPool2d((2, 3)),
    nn.MaxPool2d(3, stride=2, padding=1),
    nn.MaxPool2d(3, stride=2, ceil_mode=True),
]
SHAPES = [(4, 3, 8, 8), (3, 2, 7, 5), (1, 1, 3, 3), (1, 4, 3, 4), (2, 1, 4, 6), (64, 16, 8, 8)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pool", POOLS, ids=str)
def test_agrees_with_torch_exactly(pool: nn.MaxPool2d, shape, dtype) -> None:
    x = draw(3, *shape, dtype=dtype).relu()  # many equal maxima
    layer = MaxPool2d(pool)
    stack, reference = together(layer, load(layer, [pool] * 3), x), alone([pool] * 3, x)
    assert torch.equal(stack.y, reference.y)
    torch.testing.assert_close(stack.dx, reference.dx, rtol=0, atol=1e-6)
    if pool.kernel_size == pool.stride:
        assert torch.equal(stack.dx, reference.dx)


@pytest.mark.parametrize("pool", POOLS[:4], ids=str)
def test_single_pixel_left(pool: nn.MaxPool2d) -> None:
    x = draw(2, 5, 3, 3, 3)
    layer = MaxPool2d(pool)
    stack, reference = together(layer, [], x), alone([pool] * 2, x)
    assert torch.equal(stack.y, reference.y)
    assert torch.equal(stack.dx, reference.dx)


def test_first_of_equal_maxima_takes_the_gradient() -> None:
    x = torch.zeros(2, 1, 2, 2, 3)
    layer = MaxPool2d(nn.MaxPool2d(2))
    y, saved = layer.forward([], x, True)
    dx, gradients = layer.backward([], saved, torch.ones_like(y), True)
    assert dx is not None
    assert gradients == []
    assert torch.equal(dx.sum((0, 1, 4)), torch.tensor([[6.0, 0.0], [0.0, 0.0]]))


@pytest.mark.parametrize("shape", SHAPES)
def test_bits_do_not_depend_on_the_stack(shape) -> None:
    x = draw(STACK, *shape, dtype=torch.float32)
    assert_same_bits_in_any_stack(MaxPool2d, nn.MaxPool2d(2), x)
    assert_same_bits_in_any_stack(MaxPool2d, nn.MaxPool2d(3, 2, 1), x)


def test_inputs_common_to_all_runs() -> None:
    x = batch_last(draw(1, 5, 2, 6, 6)).expand(3, -1, -1, -1, -1)
    before = x.clone()
    layer = MaxPool2d(nn.MaxPool2d(2))
    y, saved = layer.forward([], x, True)
    dx, _ = layer.backward([], saved, torch.ones_like(y), True)
    assert dx is not None
    expected = nn.functional.max_pool2d(batch_first(x)[0], 2)
    assert torch.equal(batch_first(y)[2], expected)
    assert dx.sum() == y.numel()
    assert torch.equal(x, before)
    assert layer.backward([], saved, torch.ones_like(y), False) == (None, [])


def test_refuses_what_it_cannot_compute() -> None:
    assert MaxPool2d.refusal(nn.MaxPool2d(2)) is None
    assert "indices" in str(MaxPool2d.refusal(nn.MaxPool2d(2, return_indices=True)))
    assert "AvgPool2d" in str(MaxPool2d.refusal(nn.AvgPool2d(2)))
