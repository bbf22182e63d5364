import itertools
import math
from functools import partial

import numpy as np
import pytest
import torch
from frozen import descend, subject_of
from torch import nn
from torch.optim import SGD, Adagrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop

from sgdlab.diagnostics import stability
from sgdlab.diagnostics.preconditioner import preconditioner
from sgdlab.optimizers.keras_sgd import KerasSGD
from sgdlab.optimizers.nesterov_lookahead import NesterovLookahead
from sgdlab.optimizers.swats import SWATS
from sgdlab.verify.stability import around, growth, largest_stable

HUGE = 1e60
"""An eps beside which the root of a second moment is nothing: the divisor is frozen."""

OVER = {"lr": HUGE, "eps": HUGE}
OPTIMIZERS = {
    "gd": (partial(SGD, lr=1.0), 2.0),
    "heavy ball": (partial(SGD, lr=1.0, momentum=0.9), 3.8),
    "heavy ball .5": (partial(SGD, lr=1.0, momentum=0.5), 3.0),
    "dampening": (partial(SGD, lr=1.0, momentum=0.9, dampening=0.9), 38.0),
    "dampening without momentum": (partial(SGD, lr=1.0, dampening=0.5), 2.0),
    "nesterov": (partial(SGD, lr=1.0, momentum=0.9, nesterov=True), 3.8 / 2.8),
    "keras": (partial(KerasSGD, lr=1.0, momentum=0.9), 3.8),
    "keras nesterov": (partial(KerasSGD, lr=1.0, momentum=0.9, nesterov=True), 3.8 / 2.8),
    "look-ahead": (partial(NesterovLookahead, lr=1.0, momentum=0.9), 3.8 / 2.8),
    "rmsprop": (partial(RMSprop, **OVER), 2.0),
    "rmsprop centred": (partial(RMSprop, **OVER, centered=True), 2.0),
    "rmsprop momentum": (partial(RMSprop, **OVER, momentum=0.9), 3.8),
    "adagrad": (partial(Adagrad, **OVER), 2.0),
    "adam": (partial(Adam, **OVER), 38.0),
    "amsgrad": (partial(Adam, **OVER, amsgrad=True), 38.0),
    "adamw": (partial(AdamW, **OVER, weight_decay=0.0, betas=(0.5, 0.9)), 6.0),
    "adamax": (partial(Adamax, **OVER), 38.0),
    "radam": (partial(RAdam, **OVER, betas=(0.9, 0.9)), 38.0),
    "radam before it adapts": (partial(RAdam, lr=1.0, betas=(0.9, 0.5)), 38.0),
    "nadam": (partial(NAdam, **OVER, momentum_decay=1000.0), 3.8 / 0.28),
    "swats": (partial(SWATS, **OVER, betas=(0.9, 0.9), switch_tolerance=1e-300), 38.0),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_real_optimizer_turns_unstable_where_stability_is_one(name):
    make, expected = OPTIMIZERS[name]
    h = torch.from_numpy(around(expected))
    x = nn.Parameter(torch.ones(len(h), dtype=torch.float64))
    optimizer = make([x])
    descend(optimizer, x, 0 * h, 200)  # corrections of averages are 1 from here
    iterates = descend(optimizer, x, h, 300)
    lr = optimizer.param_groups[0]["lr"]
    measured = largest_stable(h.numpy(), growth(iterates))
    assert measured == pytest.approx(expected, rel=1e-6)
    by = preconditioner(subject_of(optimizer, x), lr)
    assert by is not None
    seen = measured / by.divisor.numpy()  # eigenvalues of P⁻¹H, were the curvature that
    np.testing.assert_allclose(seen / by.limit, 1, rtol=1e-5)


@pytest.mark.parametrize(("momentum", "dampening", "decay"), [(0.0, 0, 0.5), (0.9, 0.9, 0.5)])
def test_coupled_decay_counts_as_curvature(momentum, dampening, decay):
    limit = stability.heavy_ball(1.0, momentum, dampening)
    h = torch.from_numpy(around(limit)) - decay
    x = nn.Parameter(torch.ones(len(h), dtype=torch.float64))
    optimizer = SGD([x], 1.0, momentum, dampening, weight_decay=decay)
    moduli = growth(descend(optimizer, x, h, 300))
    measured = largest_stable(h.numpy(), moduli)
    by = preconditioner(subject_of(optimizer, x), 1.0)
    assert by is not None
    assert measured + float(by.decay[0]) == pytest.approx(by.limit, rel=1e-6)


def test_decoupled_decay_moves_the_limit_by_half_the_step_of_it():
    decay = 0.01 / HUGE
    expected = 38 * (1 - HUGE * decay / 2)
    h = torch.from_numpy(around(expected))
    x = nn.Parameter(torch.ones(len(h), dtype=torch.float64))
    optimizer = AdamW([x], **OVER, weight_decay=decay)
    measured = largest_stable(h.numpy(), growth(descend(optimizer, x, h, 300)))
    by = preconditioner(subject_of(optimizer, x), HUGE)
    assert by is not None
    assert by.decay.tolist() == [0.0] * len(h)
    assert measured == pytest.approx(expected, rel=1e-6)
    assert measured / float(by.divisor[0]) == pytest.approx(by.limit * expected / 38, rel=1e-6)


def radius(matrix: np.ndarray) -> float:
    return float(np.abs(np.linalg.eigvals(matrix)).max())


@pytest.mark.parametrize(
    ("beta", "weights"),
    list(itertools.product([0.0, 0.5, 0.9], [(0.1, 0.9), (1.0, 0.0), (0.7, 1.3)])),
)
def test_mixed_is_where_the_recurrence_of_both_weights_stops_contracting(beta, weights):
    a, b = weights

    def recurrence(s: float) -> np.ndarray:  # of x and m
        m = np.array([1 - beta, beta])
        return np.stack([np.array([1.0, 0.0]) - s * (a * np.array([1.0, 0.0]) + b * m), m])

    limit = stability.mixed(1.0, beta, a, b)
    assert radius(recurrence(0.9999 * limit)) < 1 < radius(recurrence(1.0001 * limit))
    assert all(radius(recurrence(s * limit)) < 1 for s in (0.01, 0.2, 0.5, 0.8))


@pytest.mark.parametrize(
    ("beta", "share"),
    list(itertools.product([0.1, 0.5, 0.9, 0.98], [1.0, 0.5, 0.1, 1e-3, 1e-6])),
)
def test_schedule_free_is_where_its_recurrence_stops_contracting(beta, share):
    def recurrence(s: float) -> np.ndarray:  # of z and x
        y = np.array([1 - beta, beta])
        z = np.array([1.0, 0.0]) - s * y
        return np.stack([z, share * z + (1 - share) * np.array([0.0, 1.0])])

    limit = stability.schedule_free(1.0, beta, share)
    assert radius(recurrence(1.001 * limit)) > 1
    assert all(radius(recurrence(s * limit)) < 1 for s in (0.01, 0.2, 0.5, 0.8, 0.999))


def test_nadams_weights_at_a_step_are_those_of_its_update():
    x = nn.Parameter(torch.tensor([2.0, -1.0], dtype=torch.float64))
    optimizer = NAdam([x], lr=0.1, betas=(0.8, 0.9), momentum_decay=0.3)
    for t in range(1, 6):
        before = x.detach().clone()
        x.grad = torch.tensor([1.0, 2.0 - t], dtype=torch.float64)
        optimizer.step()
        state = optimizer.state[x]
        product = float(state["mu_product"])
        a, b = stability.nadam_weights(0.8, 0.3, t, product)
        by = preconditioner(subject_of(optimizer, x), 0.1)
        assert by is not None
        expected = -0.1 * (a * x.grad + b * state["exp_avg"]) / by.divisor
        # torch keeps the product of the momenta in float32.
        np.testing.assert_allclose((x - before).detach(), expected, rtol=1e-6)
        assert by.limit == stability.mixed(0.1, 0.8, a, b)


def test_the_limits_of_the_table():
    assert stability.gradient_descent(0.1) == pytest.approx(20)
    assert stability.heavy_ball(1, 0.9) == pytest.approx(3.8)
    assert stability.nesterov(1, 0.9) == pytest.approx(1.357, abs=1e-3)
    assert stability.adam(1, 0.9) == pytest.approx(38)
    assert stability.nadam(1, 0.9) == pytest.approx(13.57, abs=1e-2)
    assert stability.heavy_ball(1, 0) == stability.nesterov(1, 0) == stability.adam(1, 0) == 2
    assert stability.gradient_descent(0.0) == math.inf
