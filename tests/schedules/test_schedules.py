import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from sgdlab.errors import InputError
from sgdlab.schedules.base import Schedule
from sgdlab.schedules.constant import Constant
from sgdlab.schedules.cosine import Cosine
from sgdlab.schedules.exponential import Exponential
from sgdlab.schedules.linear import Linear
from sgdlab.schedules.step import Step

KINDS: list[type[Schedule]] = [Constant, Cosine, Exponential, Linear, Step]
Torch = Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]


def curve(schedule: Schedule, total: int, per_epoch: int) -> list[float]:
    return [schedule(step, total, per_epoch) for step in range(total + 1)]


def torch_curve(make: Torch, total: int, every: int = 1) -> list[float]:
    """Factors from torch's scheduler, stepped after each ``every`` updates."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    scheduler = make(optimizer)
    factors = []
    for step in range(total + 1):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if (step + 1) % every == 0:
            scheduler.step()
    return factors


@pytest.mark.parametrize("final", [0.0, 0.1])
def test_cosine_is_torchs(final: float) -> None:
    expected = torch_curve(lambda o: lr_scheduler.CosineAnnealingLR(o, 40, eta_min=final), 40)
    assert curve(Cosine(final=final), 40, 10) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("final", [0.0, 0.25])
def test_linear_is_torchs(final: float) -> None:
    def make(o: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        return lr_scheduler.LinearLR(o, start_factor=1.0, end_factor=final, total_iters=40)

    assert curve(Linear(final=final), 40, 10) == pytest.approx(torch_curve(make, 40), abs=1e-12)


def test_step_is_torchs() -> None:
    expected = torch_curve(lambda o: lr_scheduler.StepLR(o, 3, gamma=0.5), 100, every=7)
    assert curve(Step(step_size=3, gamma=0.5), 100, 7) == pytest.approx(expected, rel=1e-12)


def test_milestones_are_torchs() -> None:
    expected = torch_curve(lambda o: lr_scheduler.MultiStepLR(o, [2, 5, 6], gamma=0.2), 60, every=7)
    schedule = Step(milestones=[2, 5, 6], gamma=0.2)
    assert curve(schedule, 60, 7) == pytest.approx(expected, rel=1e-12)


def test_exponential_staircase_is_torchs_and_the_smooth_one_meets_it_at_epochs() -> None:
    expected = torch_curve(lambda o: lr_scheduler.ExponentialLR(o, 0.8), 42, every=7)
    stairs = curve(Exponential(gamma=0.8, staircase=True), 42, 7)
    assert stairs == pytest.approx(expected, rel=1e-12)
    smooth = curve(Exponential(gamma=0.8), 42, 7)
    assert smooth[::7] == pytest.approx(stairs[::7], rel=1e-12)
    ratios = [b / a for a, b in itertools.pairwise(smooth)]
    assert ratios == pytest.approx([0.8 ** (1 / 7)] * 42, rel=1e-12)


def test_warm_up_then_cosine_is_torchs_sequence() -> None:
    total, per_epoch, warm = 50, 5, 15

    def make(o: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        ramp = lr_scheduler.LinearLR(o, start_factor=1 / (warm + 1), total_iters=warm)
        cosine = lr_scheduler.CosineAnnealingLR(o, total - warm)
        return lr_scheduler.SequentialLR(o, [ramp, cosine], milestones=[warm])

    expected = torch_curve(make, total)
    assert curve(Cosine(warmup_epochs=3), total, per_epoch) == pytest.approx(expected, abs=1e-12)
    assert curve(Cosine(warmup_steps=15), total, per_epoch) == pytest.approx(expected, abs=1e-12)


def test_drops_come_at_epochs_of_the_run_whatever_the_warm_up() -> None:
    plain = curve(Step(milestones=[30, 60, 80]), 900, 10)
    warm = curve(Step(milestones=[30, 60, 80], warmup_epochs=5), 900, 10)
    assert warm[50:] == plain[50:]
    assert warm[:50] == [(t + 1) / 51 for t in range(50)]
    assert [t for t in range(1, 901) if plain[t] != plain[t - 1]] == [300, 600, 800]


def test_fractions_of_an_epoch_are_rounded_to_steps() -> None:
    assert Constant(warmup_epochs=0.5).warmup(17) == 8
    assert curve(Step(step_size=0.5, gamma=0.5), 8, 4) == [0.5 ** (t // 2) for t in range(9)]
    assert curve(Step(milestones=[0.75], gamma=0.5), 4, 4) == [1, 1, 1, 0.5, 0.5]


@st.composite
def runs(draw: st.DrawFn) -> tuple[Schedule, int, int]:
    kind = draw(st.sampled_from(KINDS))
    own: dict[str, Any] = {}
    if kind in (Cosine, Linear):
        own["final"] = draw(st.floats(0, 1))
    if kind in (Exponential, Step):
        # Not so low that 200 epochs of it come below the smallest float.
        own["gamma"] = draw(st.floats(0.03, 1))
    if kind is Step:
        own["step_size"] = draw(st.integers(1, 20))
    key = draw(st.sampled_from(["warmup_steps", "warmup_epochs"]))
    own[key] = draw(st.integers(0, 60) if key == "warmup_steps" else st.floats(0, 6))
    return kind(**own), draw(st.integers(1, 200)), draw(st.integers(1, 12))


@example((Exponential(gamma=0.03), 200, 1))
@example((Step(step_size=1, gamma=0.03), 200, 1))
@given(runs())
def test_factors_are_positive_until_the_end_and_at_most_one(run: tuple[Schedule, int, int]) -> None:
    schedule, total, per_epoch = run
    factors = curve(schedule, total, per_epoch)
    assert all(0 < f <= 1 for f in factors[:-1])
    assert 0 <= factors[-1] <= 1


@given(runs())
def test_ramp_rises_evenly_onto_the_schedule(run: tuple[Schedule, int, int]) -> None:
    schedule, total, per_epoch = run
    warm = schedule.warmup(per_epoch)
    factors = [schedule(step, total, per_epoch) for step in range(min(warm, total) + 1)]
    rises = [b - a for a, b in zip([0.0, *factors], factors, strict=False)]
    # A drop may fall into the warm-up; every other schedule starts at 1 after the last rise.
    if isinstance(schedule, Step):
        rises = rises[:-1]
    assert rises == pytest.approx([1 / (warm + 1)] * len(rises), abs=1e-12)


@given(runs())
def test_after_the_warm_up_it_is_the_schedule_of_the_rest(run: tuple[Schedule, int, int]) -> None:
    schedule, total, per_epoch = run
    warm = schedule.warmup(per_epoch)
    plain = dataclasses.replace(schedule, warmup_steps=None, warmup_epochs=0.0)
    if warm >= total or isinstance(schedule, Step):
        return
    after = curve(schedule, total, per_epoch)[warm:]
    assert after == curve(plain, total - warm, per_epoch)


@given(runs(), st.randoms())
def test_factors_do_not_depend_on_what_was_asked_before(
    run: tuple[Schedule, int, int], random: Any
) -> None:
    schedule, total, per_epoch = run
    expected = curve(schedule, total, per_epoch)
    steps = list(range(total + 1))
    random.shuffle(steps)
    again = dataclasses.replace(schedule)
    assert all(again(step, total, per_epoch) == expected[step] for step in steps)


@given(runs())
def test_last_value(run: tuple[Schedule, int, int]) -> None:
    schedule, total, per_epoch = run
    if isinstance(schedule, Cosine | Linear) and schedule.warmup(per_epoch) < total:
        assert schedule(total, total, per_epoch) == schedule.final


def test_a_schedule_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Cosine().final = 0.5  # type: ignore[misc]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"warmup_steps": -1}, "schedule.warmup_steps=-1: must be a whole number from 0"),
        ({"warmup_steps": 1.5}, "whole number"),
        ({"warmup_epochs": -0.5}, "schedule.warmup_epochs=-0.5"),
        ({"warmup_epochs": math.nan}, "schedule.warmup_epochs=nan"),
        ({"warmup_epochs": math.inf}, "schedule.warmup_epochs=inf"),
        ({"warmup_epochs": "three"}, "schedule.warmup_epochs=three"),
    ],
)
def test_bad_warm_ups_are_refused(
    kind: type[Schedule], settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        kind(**settings)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (Cosine, {"final": -0.1}),
        (Cosine, {"final": 1.1}),
        (Linear, {"final": "low"}),
        (Exponential, {"gamma": 0.0}),
        (Exponential, {"gamma": 1.5}),
        (Step, {"gamma": -1}),
        (Step, {"step_size": 0}),
        (Step, {"milestones": 30}),
        (Step, {"milestones": "30,60"}),
        (Step, {"milestones": [30, "60"]}),
        (Step, {"milestones": [60, 30]}),
        (Step, {"milestones": [30, 30]}),
        (Step, {"milestones": [0, 30]}),
    ],
)
def test_bad_settings_are_refused(kind: Any, settings: dict[str, Any]) -> None:
    (key,) = settings
    with pytest.raises(InputError, match=rf"schedule\.{key}="):
        kind(**settings)


def test_warmup_steps_count_instead_of_warmup_epochs() -> None:
    assert Cosine(warmup_steps=5, warmup_epochs=3.0).warmup(steps_per_epoch=10) == 5
    assert Cosine(warmup_steps=0, warmup_epochs=3.0).warmup(steps_per_epoch=10) == 0
    assert Cosine(warmup_epochs=3.0).warmup(steps_per_epoch=10) == 30
