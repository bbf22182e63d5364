"""The schedules that torch has, too, or that have a closed form by hand, agree with it."""

import math
from collections.abc import Callable

import pytest
import torch
from torch.optim import lr_scheduler

from sgdlab.schedules.base import Schedule
from sgdlab.schedules.constant import Constant
from sgdlab.schedules.cosine import Cosine
from sgdlab.schedules.cosine_restarts import CosineRestarts
from sgdlab.schedules.inverse_sqrt import InverseSqrt
from sgdlab.schedules.inverse_time import InverseTime
from sgdlab.schedules.linear import Linear
from sgdlab.schedules.polynomial import Polynomial
from sgdlab.schedules.wsd import Wsd

Torch = Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]


def curve(schedule: Schedule, total: int, per_epoch: int = 10) -> list[float]:
    return [schedule(step, total, per_epoch) for step in range(total)]


def torch_curve(make: Torch, total: int, lr: float = 1.0) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr)
    scheduler = make(optimizer)
    factors = []
    for _ in range(total):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return factors


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, 3.7])
def test_polynomial_is_torchs(power: float) -> None:
    expected = torch_curve(lambda o: lr_scheduler.PolynomialLR(o, 40, power), 40)
    assert curve(Polynomial(power=power), 40) == pytest.approx(expected, rel=1e-12)


def test_polynomial_of_power_one_is_linear() -> None:
    linear = curve(Linear(final=0.2), 40)
    assert curve(Polynomial(power=1.0, final=0.2), 40) == pytest.approx(linear, rel=1e-12)


@pytest.mark.parametrize(("first", "mult", "final"), [(7, 1, 0.0), (5, 2, 0.1), (3, 3, 0.0)])
def test_cosine_restarts_are_torchs(first: int, mult: int, final: float) -> None:
    def make(o: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        return lr_scheduler.CosineAnnealingWarmRestarts(o, first, mult, eta_min=final)

    schedule = CosineRestarts(cycle_epochs=first / 10, t_mult=mult, final=final)
    assert curve(schedule, 300) == pytest.approx(torch_curve(make, 300), abs=1e-12)


def test_one_cycle_of_the_run_is_cosine() -> None:
    one = curve(CosineRestarts(cycle_fraction=1.0, final=0.1), 50)
    assert one == pytest.approx(curve(Cosine(final=0.1), 50), rel=1e-12)


def test_restarts_come_after_the_given_fractions_and_lose_the_given_share() -> None:
    schedule = CosineRestarts(cycle_fraction=1 / 7, t_mult=2, restart_decay=0.5, final=0.1)
    factors = curve(schedule, 70)
    assert [t for t in range(1, 70) if factors[t] > factors[t - 1]] == [10, 30]
    peaks = [factors[0], factors[10], factors[30]]
    assert peaks == pytest.approx([1, 0.1 + 0.9 / 2, 0.1 + 0.9 / 4], rel=1e-12)


def test_restarts_are_counted_after_the_warm_up() -> None:
    schedule = CosineRestarts(cycle_fraction=0.5, warmup_steps=20)
    factors = curve(schedule, 60)
    assert [t for t in range(20, 60) if factors[t] == 1] == [20, 40]


def test_inverse_time_is_c_over_n_and_inverse_sqrt_its_root() -> None:
    assert curve(InverseTime(), 50) == pytest.approx([1 / n for n in range(1, 51)], rel=1e-14)
    roots = [1 / math.sqrt(n) for n in range(1, 51)]
    assert curve(InverseSqrt(), 50) == pytest.approx(roots, rel=1e-14)


def test_the_timescale_is_where_they_have_fallen() -> None:
    assert InverseTime(timescale=30.0)(30, 100, 10) == pytest.approx(1 / 2, rel=1e-14)
    assert InverseSqrt(timescale=30.0)(90, 100, 10) == pytest.approx(1 / 2, rel=1e-14)
    warm = InverseTime(timescale=30.0, warmup_steps=8)
    assert warm(38, 100, 10) == pytest.approx(1 / 2, rel=1e-14)


def test_inverse_sqrt_after_a_warm_up_is_the_transformers() -> None:
    width, warm, total = 512, 40, 300
    paper = [width**-0.5 * min(n**-0.5, n * warm**-1.5) for n in range(1, total + 1)]
    peak = (width * warm) ** -0.5
    ours = curve(InverseSqrt(warmup_steps=warm - 1), total)
    assert [peak * f for f in ours] == pytest.approx(paper, rel=1e-12)


def test_inverse_time_after_a_warm_up_counts_from_the_start_of_the_run() -> None:
    factors = curve(InverseTime(warmup_steps=9), 50)
    assert factors[9:] == pytest.approx([10 / n for n in range(10, 51)], rel=1e-14)


@pytest.mark.parametrize(
    ("shape", "left"),
    [
        ("linear", lambda x: 1 - x),
        ("sqrt", lambda x: 1 - x**0.5),
        ("cosine", lambda x: math.cos(math.pi * x / 2) ** 2),
    ],
)
def test_wsd_decays_over_the_last_fraction_of_the_run(
    shape: str, left: Callable[[float], float]
) -> None:
    schedule = Wsd(decay=0.2, shape=shape, final=0.1, warmup_steps=10)
    factors = [schedule(step, 100, 10) for step in range(101)]
    assert factors[:10] == [(t + 1) / 11 for t in range(10)]
    assert factors[10:81] == [1.0] * 71
    expected = [0.1 + 0.9 * left(k / 20) for k in range(21)]
    assert factors[80:] == pytest.approx(expected, abs=1e-15)


def test_wsd_that_decays_all_along_is_linear_and_cosine() -> None:
    assert curve(Wsd(decay=1.0), 40) == pytest.approx(curve(Linear(), 40), abs=1e-15)
    assert curve(Wsd(decay=1.0, shape="cosine"), 40) == pytest.approx(curve(Cosine(), 40))


def test_wsd_decays_in_the_last_step_at_least() -> None:
    schedule = Wsd(decay=0.001)
    assert [schedule(t, 10, 5) for t in range(11)] == [1.0] * 10 + [0.0]


def test_wsd_with_a_warm_up_longer_than_the_stretch_decays_all_that_is_left() -> None:
    schedule = Wsd(decay=0.8, warmup_steps=60)
    assert [schedule(t, 100, 5) for t in range(60, 101)] == pytest.approx(
        [1 - k / 40 for k in range(41)], abs=1e-15
    )


def test_warm_ups_are_torchs() -> None:
    warm, start = 12, 0.05

    def constant(o: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        return lr_scheduler.ConstantLR(o, factor=start, total_iters=warm)

    def exponential(o: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        return lr_scheduler.ExponentialLR(o, start ** (-1 / warm))

    held = Constant(warmup_steps=warm, warmup_shape="constant", warmup_start=start)
    assert curve(held, 30) == pytest.approx(torch_curve(constant, 30), rel=1e-12)
    rising = Constant(warmup_steps=warm, warmup_shape="exponential", warmup_start=start)
    expected = torch_curve(exponential, warm + 1, lr=start)
    assert curve(rising, warm + 1) == pytest.approx(expected, rel=1e-12)
    assert curve(rising, 30)[warm:] == [1.0] * 18
