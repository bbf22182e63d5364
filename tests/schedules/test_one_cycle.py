"""One-cycle: torch's learning rate and momentum at every step, and the published form."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import OneCycleLR

from sgdlab.errors import InputError
from sgdlab.schedules.one_cycle import OneCycle

TORCH_NAME = {"cosine": "cos", "linear": "linear"}


def ours(schedule: OneCycle, total: int) -> list[tuple[float, float | None]]:
    return [(schedule(t, total, 7), schedule.momentum(t, total, 7)) for t in range(total)]


def torchs(optimizer: torch.optim.Optimizer, total: int, **options: Any) -> list[Any]:
    scheduler = OneCycleLR(optimizer, 1.0, total_steps=total, **options)
    values = []
    for step in range(total):
        (group,) = optimizer.param_groups
        beta = group["betas"][0] if "betas" in group else group["momentum"]
        values.append((group["lr"], beta))
        optimizer.step()
        if step < total - 1:
            scheduler.step()
    return values


def sgd() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.5)


def same(one: list[Any], other: list[Any]) -> None:
    for column in (0, 1):
        expected = pytest.approx([row[column] for row in other], rel=1e-12, abs=1e-15)
        assert [row[column] for row in one] == expected


def test_the_default_is_torchs_default() -> None:
    same(ours(OneCycle(), 200), torchs(sgd(), 200))


def test_the_first_of_betas_is_torchs() -> None:
    same(ours(OneCycle(), 60), torchs(torch.optim.Adam([torch.zeros(1)]), 60))


@given(
    total=st.integers(2, 120),
    shape=st.sampled_from(["cosine", "linear"]),
    three_phase=st.booleans(),
    pct_start=st.floats(0, 1),
    div_factor=st.floats(1, 100),
    final_div_factor=st.floats(1, 1e6),
    momenta=st.tuples(st.floats(0, 0.9), st.floats(0, 0.09)),
)
def test_every_setting_is_torchs(
    total: int, shape: str, three_phase: bool, pct_start: float, momenta: Any, **divisors: float
) -> None:
    options: dict[str, Any] = {
        "pct_start": pct_start / 2 if three_phase else pct_start,
        "three_phase": three_phase,
        "base_momentum": momenta[0],
        "max_momentum": sum(momenta),
        **divisors,
    }
    try:
        expected = torchs(sgd(), total, anneal_strategy=TORCH_NAME[shape], **options)
    except ZeroDivisionError:
        return  # torch divides by the length of a phase, which is 0 in some short runs
    same(ours(OneCycle(shape=shape, **options), total), expected)


def test_published_form_rises_for_half_of_the_run_and_falls_for_the_other() -> None:
    total = 100
    values = ours(OneCycle(shape="linear", div_factor=10.0), total)
    rise = [0.1 + 0.9 * t / 49 for t in range(50)]
    fall = [1 - 0.9 * k / 50 for k in range(1, 51)]
    assert [f for f, _ in values] == pytest.approx(rise + fall, rel=1e-12)
    # Mirrored: factor and momentum are at opposite ends of their ranges.
    assert [(f - 0.1) / 0.9 + (m - 0.85) / 0.1 for f, m in values if m] == pytest.approx([1] * 100)


def test_published_form_with_annihilation() -> None:
    values = ours(OneCycle(shape="linear", three_phase=True, div_factor=10.0), 100)
    factors = [f for f, _ in values]
    assert factors[44] == pytest.approx(1.0)
    assert factors[88] == pytest.approx(0.1)
    assert factors[99] == pytest.approx(0.1 / 1e4)
    assert [m for _, m in values[88:]] == pytest.approx([0.95] * 12)
    assert factors[88:] == pytest.approx([0.1 - k / 11 * (0.1 - 1e-5) for k in range(12)])


def test_a_warm_up_rises_onto_the_start_with_momentum_at_its_largest() -> None:
    values = ours(OneCycle(warmup_steps=9), 59)
    assert [f for f, _ in values[:9]] == pytest.approx([(t + 1) / 10 / 25 for t in range(9)])
    assert [m for _, m in values[:9]] == [0.95] * 9
    assert values[9:] == ours(OneCycle(), 50)


def test_momentum_is_left_alone_on_request() -> None:
    assert {m for _, m in ours(OneCycle(cycle_momentum=False), 20)} == {None}


@pytest.mark.parametrize("total", [0, 1, 2, 3])
@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("pct_start", [0.0, 0.25, 1 / 3, 0.5])
def test_runs_of_few_steps(total: int, three_phase: bool, pct_start: float) -> None:
    schedule = OneCycle(three_phase=three_phase, pct_start=pct_start)
    for step in range(total + 1):
        assert 0 < schedule(step, total, 1) <= 1
        momentum = schedule.momentum(step, total, 1)
        assert momentum is not None
        assert 0.85 <= momentum <= 0.95
    assert schedule(total, total, 1) == 1 / 25e4


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"shape": "cos"}, r"schedule\.shape=cos: valid: cosine, linear"),
        ({"pct_start": 1.5}, r"schedule\.pct_start=1\.5: must be a number from 0 to 1"),
        ({"pct_start": 0.6, "three_phase": True}, r"pct_start=0\.6: must be .* to 0\.5"),
        ({"three_phase": "yes"}, r"schedule\.three_phase=yes: must be true or false"),
        ({"cycle_momentum": 1}, r"schedule\.cycle_momentum=1: must be true or false"),
        ({"div_factor": 0.5}, r"schedule\.div_factor=0\.5: must be a number from 1"),
        ({"final_div_factor": 0}, r"schedule\.final_div_factor=0: must be a number from 1"),
        ({"max_momentum": 1.0}, r"max_momentum=1\.0: must be a number from 0 to below 1"),
        ({"base_momentum": 0.99}, r"base_momentum=0\.99: must not exceed max_momentum=0\.95"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        OneCycle(**settings)
