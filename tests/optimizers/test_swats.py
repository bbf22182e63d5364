"""SWATS against the paper's algorithm in NumPy, closed forms, and pytorch-optimizer."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from given_gradients import assert_same, follow, gradients, groups, run, weights
from torch import Tensor

from sgdlab.errors import InputError
from sgdlab.optimizers.swats import SWATS

BETAS = (0.9, 0.99)


def settling(steps: int, shapes: Sequence[tuple[int, ...]] | None = None) -> list[list[Tensor]]:
    """Return gradients whose noise fades, so that the criterion is met on the way."""
    drawn = gradients(steps, **({} if shapes is None else {"shapes": shapes}))
    mean = [sum(gs[k] for gs in drawn) / steps for k in range(len(drawn[0]))]
    return [
        [m + 0.85**t * (g - m) for g, m in zip(gs, mean, strict=True)] for t, gs in enumerate(drawn)
    ]


def by_hand(
    given: Sequence[Sequence[Tensor]],
    rates: Callable[[int], float],
    *,
    eps: float,
    tolerance: float,
    decay: float,
) -> tuple[np.ndarray, int | None, float | None, float]:
    """Run Algorithm 1 of the paper on the one vector of all parameters."""
    w = np.concatenate([p.detach().numpy().ravel() for p in weights()])
    decays = np.concatenate([np.full(p.numel(), decay * (p.ndim > 1)) for p in weights()])
    beta1, beta2 = BETAS
    m, a, v = np.zeros_like(w), np.zeros_like(w), np.zeros_like(w)
    average, switched, learned, rate_then = 0.0, None, None, 0.0
    for t, gs in enumerate(given):
        k = t + 1
        g = np.concatenate([g.numpy().ravel() for g in gs]) + decays * w
        if learned is not None:
            v = beta1 * v + g
            w = w - (1 - beta1) * learned * rates(t) / rate_then * v
            continue
        m = beta1 * m + (1 - beta1) * g
        a = beta2 * a + (1 - beta2) * g**2
        p = -rates(t) * math.sqrt(1 - beta2**k) / (1 - beta1**k) * m / (np.sqrt(a) + eps)
        w = w + p
        gamma = (p @ p) / -(p @ g)
        average = beta2 * average + (1 - beta2) * gamma
        if k > 1 and abs(average / (1 - beta2**k) - gamma) < tolerance:
            switched, learned, rate_then = k, average / (1 - beta2**k), rates(t)
    return w, switched, learned, rate_then


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("tolerance", [2e-4, 1e-4, 1e-12])
def test_it_is_the_papers_algorithm(decay: float, tolerance: float) -> None:
    """With a falling rate: after the switch the learned one falls in proportion."""
    given, params = settling(100), weights()
    optimizer = SWATS(
        groups(params, weight_decay=0.0),
        betas=BETAS,
        eps=1e-3,
        switch_tolerance=tolerance,
        weight_decay=decay,
    )
    rates = lambda t: 0.01 / (1 + t / 50)  # noqa: E731
    for _ in follow(optimizer, params, given, rates):
        pass
    w, switched, learned, _ = by_hand(given, rates, eps=1e-3, tolerance=tolerance, decay=decay)
    found = optimizer.findings()
    assert found["switch_step"] == switched
    if tolerance == 1e-12:
        assert found == {"switch_step": None, "switch_lr": None}
    else:
        assert switched is not None
        assert 2 < switched < 90
        assert found["switch_lr"] == pytest.approx(learned, rel=1e-12)
    ours = np.concatenate([p.detach().numpy().ravel() for p in params])
    np.testing.assert_allclose(ours, w, rtol=0, atol=1e-12)


def test_it_agrees_with_pytorch_optimizer() -> None:
    """At settings where the definitions meet.

    Theirs has a criterion per tensor (one tensor here), its tolerance is 1e-8 + eps·|γ| (ours is
    1e-8 and eps is 0), and a schedule would overwrite the learned rate (there is none). Gradients
    are noise, then constant until the switch, then noise again.
    """
    package = pytest.importorskip("pytorch_optimizer", reason="extra more-optimizers")
    shape = [(7, 5)]
    constant = gradients(1, seed=4, shapes=shape) * 60
    given = [*gradients(5, shapes=shape), *constant, *gradients(35, seed=5, shapes=shape)]
    found = []
    for cls, settings in ((SWATS, {"switch_tolerance": 1e-8}), (package.SWATS, {})):
        (p,) = weights(shapes=shape)
        optimizer = cls([p], lr=0.01, betas=(0.5, 0.5), eps=0.0, **settings)
        switched = None
        for step in follow(optimizer, [p], given):
            if isinstance(optimizer, SWATS):
                switched = optimizer.findings()["switch_step"]
            elif switched is None and optimizer.param_groups[0]["phase"] == "sgd":
                switched = step + 1
        found.append((switched, p.detach().numpy()))
    (our_step, ours), (their_step, theirs) = found
    assert our_step == their_step
    assert our_step is not None
    assert 10 < our_step < 60
    assert_same([ours], [theirs])


def test_a_constant_gradient_switches_in_the_second_step_at_the_rate_of_adam() -> None:
    """Adam's step is -lr·sign(g), so γ = lr·d / |g|₁ from the first step on."""
    params = weights()
    g = gradients(1)[0]
    optimizer = SWATS(params, lr=0.01, eps=0.0, switch_tolerance=1e-12)
    for _ in follow(optimizer, params, [g, g]):
        pass
    count, total = sum(x.numel() for x in g), sum(x.abs().sum().item() for x in g)
    found = optimizer.findings()
    assert found["switch_step"] == 2
    assert found["switch_lr"] == pytest.approx(0.01 * count / total, rel=1e-12)


def test_of_a_step_of_sgd_it_learns_sgds_rate() -> None:
    """With β = 0 and a huge eps Adam's step is -(lr/eps)·g: γ is that rate (theory, row 20)."""
    params = weights()
    optimizer = SWATS(params, lr=0.03 * 1e14, betas=(0.0, 0.0), eps=1e14)
    for _ in follow(optimizer, params, gradients(3)):
        pass
    assert optimizer.findings()["switch_lr"] == pytest.approx(0.03, rel=1e-12)


def test_a_rate_that_climbs_is_not_learned() -> None:
    """In the second step momentum moves against the gradient: γ < 0, equal to its average."""
    p = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = SWATS([p], betas=(0.9, 0.0))
    given = [[torch.tensor([g], dtype=torch.float64)] for g in (1.0, -0.1, 1.0, 1.0)]
    switches = [optimizer.findings()["switch_step"] for _ in follow(optimizer, [p], given)]
    assert switches == [None, None, 3, 3]


def test_after_the_switch_the_rate_follows_schedule_and_multiplier() -> None:
    """Without momentum the step is Λ · (lr now / lr at the switch) · multiplier · g."""
    params = weights()
    optimizer = SWATS(groups(params, lr_multiplier=0.5), betas=(0.0, 0.9), switch_tolerance=1e9)
    given = gradients(3)
    rates = [0.01, 0.02, 0.005]
    for step in follow(optimizer, params, given, lambda t: rates[t]):
        if step == 1:
            before = [p.detach().clone() for p in params]
    assert optimizer.findings()["switch_step"] == 2
    learned = optimizer.findings()["switch_lr"]
    for p, old, g, multiplier in zip(params, before, given[2], (1.0, 1.0, 0.5), strict=True):
        torch.testing.assert_close(p.detach(), old - learned * 0.25 * multiplier * g)


def test_the_moments_are_dropped_at_the_switch() -> None:
    params = weights()
    optimizer = SWATS(params, switch_tolerance=1e9)
    sizes = []
    for _ in follow(optimizer, params, gradients(3)):
        held = [v for state in optimizer.state.values() for v in state.values()]
        sizes.append(sum(v.numel() for v in held if torch.is_tensor(v)))
    count = sum(p.numel() for p in params)
    assert sizes == [2 * count, 0, count]


def test_before_the_switch_it_is_adam_but_for_the_place_of_eps() -> None:
    settings: dict[str, Any] = {"lr": 0.01, "betas": BETAS, "weight_decay": 0.1, "eps": 0.0}
    given = gradients(100)
    ours = run(SWATS, {**settings, "switch_tolerance": 1e-300}, given, weight_decay=0.0)
    adam = run(torch.optim.Adam, {**settings, "foreach": False}, given, weight_decay=0.0)
    assert_same(ours, adam)


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ({"switch_tolerance": 0.0}, "optimizer.switch_tolerance=0.0: must be a number above 0"),
        ({"betas": 0.9}, "optimizer.betas=0.9: must be 2 numbers from 0 to below 1"),
        ({"eps": float("nan")}, "optimizer.eps=nan: must be a number from 0"),
        ({"lr": -1.0}, "optimizer.lr=-1.0: must be a number from 0"),
    ],
)
def test_impossible_settings_are_refused(setting: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        SWATS(weights(), **setting)
