import pytest
import torch
from layer_runs import batch_first, batch_last, draw, threads
from torch import Tensor, nn

from sgdlab.stacked.layers.dropout import Dropout

SHAPES = [(64, 64), (1, 1), (3, 129), (5, 3, 4, 4)]


def _alone(modules: list[nn.Module], x: Tensor, seeds: list[int], steps: int) -> list[Tensor]:
    """Return outputs and input gradients of each run, by torch's own generator and autograd."""
    found: list[list[Tensor]] = []
    for r, seed in enumerate(seeds):
        torch.manual_seed(seed)
        own = []
        for _ in range(steps):
            inputs = x[r].detach().clone().requires_grad_()
            y = inputs
            for module in modules:
                y = module(y)
            y.backward(torch.ones_like(y))
            assert inputs.grad is not None
            own += [y.detach(), inputs.grad]
        found.append(own)
    return [torch.stack(each) for each in zip(*found, strict=True)]


def _together(modules: list[nn.Module], x: Tensor, seeds: list[int], steps: int) -> list[Tensor]:
    layers = [Dropout(m) for m in modules]
    generators = [torch.Generator().manual_seed(s) for s in seeds]
    for layer in layers:
        layer.generators = generators
    found = []
    for _ in range(steps):
        y, kept = batch_last(x), []
        for layer in layers:
            y, saved = layer.forward([], y, True)
            kept.append(saved)
        d = torch.ones_like(y)
        for layer, saved in zip(reversed(layers), reversed(kept), strict=True):
            dx, gradients = layer.backward([], saved, d, True)
            assert dx is not None
            assert gradients == []
            d = dx
        found += [batch_first(y), batch_first(d)]
    return found


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_masks_are_those_of_the_ordinary_trainer(shape, dtype, count: int) -> None:
    modules: list[nn.Module] = [nn.Dropout(0.3), nn.Dropout(0.0), nn.Dropout(0.5), nn.Dropout(0.1)]
    x = draw(3, *shape, dtype=dtype)
    seeds = [7, 0, 2**40]
    with threads(count):
        expected = _alone(modules, x, seeds, steps=4)
        found = _together(modules, x, seeds, steps=4)
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_draws_nothing_where_torch_draws_nothing(p: float) -> None:
    modules: list[nn.Module] = [nn.Dropout(p), nn.Dropout(0.5)]
    x = draw(2, 8, 8)
    expected = _alone(modules, x, [1, 2], 2)
    for a, b in zip(_together(modules, x, [1, 2], 2), expected, strict=True):
        assert torch.equal(a, b)


def test_evaluation_passes_everything_and_draws_nothing() -> None:
    layer = Dropout(nn.Dropout(0.5))
    layer.generators = [torch.Generator().manual_seed(r) for r in range(2)]
    states = [g.get_state() for g in layer.generators]
    x = draw(2, 8, 8)
    y, _ = layer.forward([], x, False)
    assert torch.equal(y, x)
    for g, state in zip(layer.generators, states, strict=True):
        assert torch.equal(g.get_state(), state)


def test_inputs_common_to_all_runs_get_masks_of_their_own() -> None:
    layer = Dropout(nn.Dropout(0.5))
    layer.generators = [torch.Generator().manual_seed(r) for r in range(2)]
    x = torch.ones(1, 16, 16).expand(2, -1, -1)
    y, saved = layer.forward([], x, True)
    assert torch.equal(x, torch.ones(2, 16, 16))
    assert not torch.equal(y[0], y[1])
    assert layer.backward([], saved, y, False) == (None, [])


def test_a_generator_for_each_run_is_required() -> None:
    layer = Dropout(nn.Dropout(0.5))
    layer.generators = [torch.Generator()]
    with pytest.raises(ValueError, match="shorter"):
        layer.forward([], draw(2, 3, 3), True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_masks_come_from_a_generator_on_the_device() -> None:
    layer = Dropout(nn.Dropout(0.5))
    layer.generators = [torch.Generator("cuda").manual_seed(r) for r in range(2)]
    x = torch.ones(2, 64, 64, device="cuda")
    y, _ = layer.forward([], x, True)
    again = torch.empty(64, 64, device="cuda").bernoulli_(
        0.5, generator=torch.Generator("cuda").manual_seed(1)
    )
    assert torch.equal(y[1], again * 2)


def test_refuses_what_it_cannot_compute() -> None:
    assert Dropout.refusal(nn.Dropout(0.2)) is None
    assert "Dropout2d" in str(Dropout.refusal(nn.Dropout2d(0.2)))
    assert "AlphaDropout" in str(Dropout.refusal(nn.AlphaDropout(0.2)))
