"""What is said while a run is running: once, early, and not of a healthy one."""

import math

import numpy as np
import pytest

from sgdlab.diagnosis import EarlyWarnings

FALLING = 0.05 + 2.25 * np.exp(-np.arange(400) / 40)


def said(losses, norms=None, **settings) -> dict[int, str]:
    """Return what a watch says, by step."""
    watch = EarlyWarnings(len(losses), **settings)
    norms = np.ones(len(losses)) if norms is None else norms
    lines = {
        step: watch.step(step, float(loss), 0.1, float(norm))
        for step, (loss, norm) in enumerate(zip(losses, norms, strict=True), start=1)
    }
    return {step: line for step, line in lines.items() if line is not None}


def test_nothing_is_said_of_a_healthy_run():
    noise = np.exp(0.3 * np.random.default_rng(0).normal(size=400))
    assert said(FALLING * noise, noise) == {}


def test_a_loss_that_doubles_is_reported_within_three_steps_and_once():
    losses = np.concatenate([np.full(10, 2.3), np.full(60, 5.0)])
    ((step, line),) = said(losses).items()
    assert step == 13  # the third of five
    assert "lr/10" in line


def test_a_loss_a_hundred_times_as_high_is_reported_at_once():
    assert list(said([2.3, 2.2, 230.0, 2300.0])) == [3]


def test_a_rise_after_the_first_steps_is_left_to_the_diagnosis():
    losses = np.concatenate([np.full(320, 1.0) * FALLING[:320], np.full(20, 9.0)])
    assert said(losses) == {}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_is_reported_once(bad):
    losses = FALLING[:20].copy()
    losses[7:9] = bad
    assert list(said(losses)) == [8]
    norms = np.ones(20)
    norms[7:9] = bad
    assert list(said(FALLING[:20], norms)) == [8]


def test_a_standstill_is_reported_when_warm_up_and_patience_are_over():
    losses = 2.3 + 0.01 * np.random.default_rng(0).normal(size=400)
    assert list(said(losses)) == [133]
    assert list(said(losses, warmup_steps=100)) == [200]
    assert list(said(losses, steps_per_epoch=90)) == [180]
    assert said(losses[:60]) == {}


def test_the_third_spike_is_reported():
    norms = np.ones(400)
    norms[[60, 90, 120, 150]] = 30.0
    assert list(said(FALLING, norms)) == [121]


def test_losses_at_or_below_zero_have_no_multiple():
    assert said(np.linspace(0, -50, 300)) == {}
    assert said(np.zeros(300)) == {}


def test_single_examples_have_losses_of_heavy_tails():
    draw = np.random.default_rng(0)
    losses = np.square(draw.normal(size=400))  # squared errors that do not fall
    losses[0] = 0.01
    assert list(said(losses, batch=1)) == []
    assert list(said(losses * np.linspace(1, 30, 400), batch=1)) != []
