"""Kiefer–Wolfowitz against gradients, closed forms and a count of its calls."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from sgdlab.errors import InputError
from sgdlab.optimizers.kiefer_wolfowitz import KieferWolfowitz


class Calls:
    """A closure over ``function`` that keeps where and how it was called."""

    def __init__(self, function: Callable[..., Tensor], *params: Tensor) -> None:
        self.function, self.params = function, params
        self.at: list[list[Tensor]] = []

    def __call__(self, gradient: bool = True) -> Tensor:
        assert not gradient
        assert not torch.is_grad_enabled()
        self.at.append([p.detach().clone() for p in self.params])
        return self.function(*self.params)


def a_quadratic() -> tuple[list[Tensor], Callable[..., Tensor]]:
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(7, 7, generator=generator, dtype=torch.float64)
    hessian, linear = root @ root.T / 7, torch.randn(7, generator=generator, dtype=torch.float64)
    w = torch.randn(2, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    b = torch.randn((), generator=generator, dtype=torch.float64, requires_grad=True)

    def function(w: Tensor, b: Tensor) -> Tensor:
        v = torch.cat([w.flatten(), b.flatten()])
        return 0.5 * v @ hessian @ v + linear @ v

    return [w, b], function


@pytest.mark.parametrize("width", [1.0, 0.01])
def test_on_a_quadratic_it_is_gradient_descent(width: float) -> None:
    """Theory, row 29; the exact gradient by autograd, for any width, over 100 steps."""
    params, function = a_quadratic()
    twins = [p.detach().clone().requires_grad_() for p in params]
    optimizer = KieferWolfowitz(params, lr=0.1, width=width)
    sgd = torch.optim.SGD(twins, lr=0.1)
    for _ in range(100):
        optimizer.step(Calls(function, *params))
        sgd.zero_grad()
        function(*twins).backward()
        sgd.step()
    for p, q in zip(params, twins, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-11)


def test_it_leaves_its_estimate_as_the_gradient_and_returns_the_loss_before() -> None:
    params, function = a_quadratic()
    before = function(*params)
    exact = torch.autograd.grad(before, params)
    loss = KieferWolfowitz(params, lr=0.1).step(Calls(function, *params))
    assert loss.item() == before.item()
    for p, g in zip(params, exact, strict=True):
        assert p.grad is not None
        torch.testing.assert_close(p.grad, g, rtol=0, atol=1e-12)


def test_it_calls_first_at_the_weights_and_then_twice_per_coordinate() -> None:
    """Each of the 2d calls differs from the weights in one coordinate, by the width."""
    params, function = a_quadratic()
    start = [p.detach().clone() for p in params]
    calls = Calls(function, *params)
    KieferWolfowitz(params, lr=0.1, width=0.25).step(calls)
    assert len(calls.at) == 1 + 2 * 7
    assert all(torch.equal(p, q) for p, q in zip(calls.at[0], start, strict=True))
    flat = torch.stack([torch.cat([p.flatten() for p in at]) for at in calls.at])
    moved = flat[1:] - flat[0]
    assert (moved.abs() > 0).sum().item() == 14
    expected = torch.eye(7, dtype=torch.float64).repeat_interleave(2, dim=0) * 0.25
    expected[1::2] *= -1
    torch.testing.assert_close(moved, expected)


def test_a_rate_of_zero_gives_the_weights_back_to_the_last_bit() -> None:
    params, function = a_quadratic()
    start = [p.detach().clone() for p in params]
    KieferWolfowitz(params, lr=0.0, width=0.1).step(Calls(function, *params))
    assert all(torch.equal(p, q) for p, q in zip(params, start, strict=True))


@pytest.mark.parametrize("power", [0.0, 1 / 3, 1.0])
def test_the_width_decays_by_its_power(power: float) -> None:
    """Of w³ the central difference is 3w² + c², which shows c."""
    w = torch.full((1,), 0.5, dtype=torch.float64, requires_grad=True)
    optimizer = KieferWolfowitz([w], lr=1e-3, width=0.2, width_power=power)
    for t in range(1, 6):
        at = w.item()
        optimizer.step(Calls(lambda w: (w**3).sum(), w))
        width = 0.2 / t**power
        assert w.grad is not None
        assert w.grad.item() == pytest.approx(3 * at**2 + width**2, rel=1e-12)


def test_multipliers_and_tensors_that_are_not_contiguous() -> None:
    w = torch.arange(6.0, dtype=torch.float64).reshape(2, 3).T.requires_grad_()
    b = torch.ones(2, dtype=torch.float64, requires_grad=True)
    assert not w.is_contiguous()
    optimizer = KieferWolfowitz([{"params": [w]}, {"params": [b], "lr": 0.5}], lr=0.1)
    start = w.detach().clone()
    optimizer.step(Calls(lambda w, b: 0.5 * (w**2).sum() + b.sum(), w, b))
    torch.testing.assert_close(w.detach(), 0.9 * start)
    torch.testing.assert_close(b.detach(), torch.full_like(b, 0.5))


@pytest.mark.parametrize(("limit", "refused"), [(10, True), (11, True), (12, False)])
def test_large_models_are_refused_by_their_count(limit: int, refused: bool) -> None:
    params = [torch.zeros(3, 3, requires_grad=True), torch.zeros(3, requires_grad=True)]
    if not refused:
        KieferWolfowitz(params, max_parameters=limit)
        return
    text = f"optimizer.max_parameters={limit}: the model has 12, which takes 25 evaluations a step"
    with pytest.raises(InputError, match=text):
        KieferWolfowitz(params, max_parameters=limit)


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ({"width": 0.0}, "optimizer.width=0.0: must be a number above 0"),
        ({"width_power": -1.0}, "optimizer.width_power=-1.0: must be a number from 0"),
        ({"max_parameters": 0}, "optimizer.max_parameters=0: must be a whole number from 1"),
        ({"max_parameters": True}, "optimizer.max_parameters=True: must be a whole number"),
        ({"lr": float("inf")}, "optimizer.lr=inf: must be a number from 0"),
    ],
)
def test_impossible_settings_are_refused(setting: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        KieferWolfowitz([torch.zeros(2, requires_grad=True)], **setting)
