"""Layers of many runs and their modules, run by run, for the tests of the former."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sgdlab.stacked.layers.base import Layer

THREADS = (1, 2)
STACK = 7


@dataclass
class Pass:
    """A forward and backward pass of each run: ``[R, …]`` in the modules' own layout."""

    y: Tensor
    dx: Tensor
    gradients: list[Tensor]
    buffers: dict[str, Tensor]

    def tensors(self, first: int = 0, last: int | None = None) -> list[Tensor]:
        """Return all there is of some runs."""
        found = [self.y, self.dx, *self.gradients, *self.buffers.values()]
        return [value[first:last] for value in found]


def batch_last(x: Tensor) -> Tensor:
    """Return images ``[R, B, C, H, W]`` in the layout of the layers; vectors as they are."""
    return x.permute(0, 2, 3, 4, 1).contiguous() if x.ndim == 5 else x


def batch_first(x: Tensor) -> Tensor:
    """Undo `batch_last`."""
    return x.permute(0, 4, 1, 2, 3).contiguous() if x.ndim == 5 else x


def modules_like(module: nn.Module, runs: int, seed: int = 0) -> list[nn.Module]:
    """Return copies with parameters and statistics of their own."""
    g = torch.Generator().manual_seed(seed)
    copies = [copy.deepcopy(module) for _ in range(runs)]
    for own in copies:
        for value in (*own.parameters(), *own.buffers()):
            if value.is_floating_point():
                value.data = torch.rand(value.shape, generator=g, dtype=value.dtype) + 0.1
    for own in copies:
        for value in own.parameters():
            value.data -= 0.6
    return copies


def draw(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 1) -> Tensor:
    """Return normal numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def alone(modules: Sequence[nn.Module], x: Tensor, seed: int = 2) -> Pass:
    """Return what torch's autograd has for each run; the modules' statistics advance."""
    found: list[tuple[Tensor, Tensor, list[Tensor]]] = []
    d = None
    for r, module in enumerate(modules):
        own = x[r].detach().clone().requires_grad_()
        y = module(own)
        if d is None:
            d = draw(len(modules), *y.shape, dtype=y.dtype, seed=seed)
        module.zero_grad()
        y.backward(d[r])
        assert own.grad is not None
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        found.append((y.detach(), own.grad, gradients))
    return Pass(
        torch.stack([y for y, _, _ in found]),
        torch.stack([dx for _, dx, _ in found]),
        [torch.stack(each) for each in zip(*(g for _, _, g in found), strict=True)],
        {
            name: torch.stack([dict(m.named_buffers())[name] for m in modules])
            for name, _ in modules[0].named_buffers()
        },
    )


def load(layer: Layer, modules: Sequence[nn.Module]) -> list[Tensor]:
    """Give a layer the statistics of modules, and return their parameters in its layout."""
    states = [m.state_dict() for m in modules]
    own = {name: torch.stack([s[name] for s in states]) for name in states[0]}
    layer.buffers = {k: v for k, v in own.items() if k not in layer.parameters}
    return [layer.pack(name, own[name]) for name in layer.parameters]


def together(
    layer: Layer, params: Sequence[Tensor], x: Tensor, *, train: bool = True, seed: int = 2
) -> Pass:
    """Return what a layer has for all runs; its statistics advance."""
    inputs = batch_last(x)
    before = inputs.clone()
    y, saved = layer.forward(params, inputs, train)
    assert torch.equal(inputs, before)
    assert y.is_contiguous()
    first = batch_first(y)
    d = batch_last(draw(*first.shape, dtype=y.dtype, seed=seed))
    dx, gradients = layer.backward(params, saved, d, True)
    assert dx is not None
    assert all(g.is_contiguous() for g in (dx, *gradients))
    return Pass(
        first.clone(),
        batch_first(dx),
        [layer.unpack(n, g) for n, g in zip(layer.parameters, gradients, strict=True)],
        {name: value.clone() for name, value in layer.buffers.items()},
    )


def largest_gap(one: Pass, other: Pass) -> float:
    """Return the largest difference, in units of the largest number of each tensor (or of 1)."""
    gaps: list[float] = []
    for a, b in zip(one.tensors(), other.tensors(), strict=True):
        assert a.shape == b.shape
        if a.numel():
            scale = max(1.0, b.abs().max().item())
            gaps.append(((a.double() - b.double()).abs().max() / scale).item())
    return max(gaps)


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with a number of threads, within the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def assert_same_bits_in_any_stack(
    form: type[Layer], module: nn.Module, x: Tensor, *, train: bool = True
) -> None:
    """Runs at either end of a stack of seven have the bits that they have in smaller stacks."""
    assert len(x) == STACK
    modules = modules_like(module, STACK)
    layer = form(module)

    def passed(first: int, last: int) -> Pass:
        params = load(layer, modules[first:last])
        y, saved = layer.forward(params, batch_last(x[first:last]), train)
        whole = draw(STACK, *batch_first(y).shape[1:], dtype=y.dtype)
        dx, gradients = layer.backward(params, saved, batch_last(whole[first:last]), True)
        assert dx is not None
        return Pass(y.clone(), dx, gradients, dict(layer.buffers))

    for count in THREADS:
        with threads(count):
            all_of_them = passed(0, STACK)
            for first, last in ((0, 2), (STACK - 2, STACK), (1, 4), (2, STACK)):
                some = passed(first, last)
                for a, b in zip(all_of_them.tensors(first, last), some.tensors(), strict=True):
                    assert torch.equal(a, b), (count, first, last, a.shape)
