"""Reduce on plateau: torch's decisions, and a state that can be saved at any moment."""

import copy
import io
import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import ReduceLROnPlateau

from sgdlab.errors import InputError
from sgdlab.schedules.plateau import Plateau

# Few values, so that ties and small improvements occur; and what a diverging run reports.
LOSSES = st.lists(
    st.one_of(
        st.sampled_from([1.0, 0.999, 0.99, 0.9, 0.5, 0.0, -1.0, math.nan, math.inf]),
        st.floats(-10, 10),
    ),
    max_size=60,
)
OPTIONS = st.fixed_dictionaries(
    {
        "patience": st.integers(0, 4),
        "cooldown": st.integers(0, 4),
        "threshold": st.sampled_from([0.0, 1e-4, 0.01, 0.3]),
        "threshold_mode": st.sampled_from(["rel", "abs"]),
    }
)


def seen(plateau: Plateau, losses: list[float]) -> list[float]:
    factors = []
    for loss in losses:
        plateau.observe(loss)
        factors.append(plateau(0, 100, 10))
    return factors


@given(LOSSES, OPTIONS, st.floats(0.01, 0.99), st.sampled_from([0.0, 0.05, 1.0]))
def test_decisions_are_torchs(
    losses: list[float], options: dict[str, Any], gamma: float, least: float
) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    theirs = ReduceLROnPlateau(optimizer, factor=gamma, min_lr=least, eps=0.0, **options)
    expected = []
    for loss in losses:
        theirs.step(loss)
        expected.append(optimizer.param_groups[0]["lr"])
    assert seen(Plateau(gamma=gamma, min_factor=least, **options), losses) == expected


def test_drops_after_more_than_patience_bad_evaluations() -> None:
    plateau = Plateau(gamma=0.5, patience=2)
    factors = seen(plateau, [3, 2, 1, 1, 1, 1, 1, 1, 1, 0.5, 0.5])
    assert factors == [1, 1, 1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25]


def test_the_factor_depends_on_the_state_only() -> None:
    plateau = Plateau(patience=0)
    seen(plateau, [1.0, 1.0])
    before = plateau.state_dict()
    assert {plateau(step, 50, 5) for step in (0, 49, 7, 10**9)} == {0.1}
    assert plateau.state_dict() == before


def test_the_ramp_of_a_warm_up_multiplies_the_factor() -> None:
    plateau = Plateau(patience=0, gamma=0.5, warmup_steps=3)
    assert [plateau(t, 10, 1) for t in range(5)] == [0.25, 0.5, 0.75, 1, 1]
    seen(plateau, [1.0, 1.0])
    assert [plateau(t, 10, 1) for t in range(5)] == [0.125, 0.25, 0.375, 0.5, 0.5]


@given(LOSSES, LOSSES, OPTIONS)
def test_it_goes_on_from_a_saved_state(
    before: list[float], after: list[float], options: dict[str, Any]
) -> None:
    plateau = Plateau(**options)
    seen(plateau, before)
    file = io.BytesIO()
    torch.save(plateau.state_dict(), file)
    file.seek(0)
    resumed = Plateau(**options)
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert resumed.state == plateau.state
    assert seen(resumed, after) == seen(plateau, after)


def test_a_saved_state_does_not_follow_what_comes_later() -> None:
    plateau = Plateau(patience=0)
    saved = plateau.state_dict()
    kept = copy.deepcopy(saved)
    seen(plateau, [1.0, 1.0, 1.0])
    assert saved == kept != plateau.state_dict()


def test_two_plateaus_share_no_state() -> None:
    one, other = Plateau(patience=0), Plateau(patience=0)
    seen(one, [1.0, 1.0])
    assert (one(0, 1, 1), other(0, 1, 1)) == (0.1, 1.0)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"gamma": 1.0}, r"schedule\.gamma=1\.0: must be a number above 0 to below 1"),
        ({"gamma": 0.0}, r"schedule\.gamma=0\.0"),
        ({"patience": 1.5}, r"schedule\.patience=1\.5: must be a whole number"),
        ({"patience": -1}, r"schedule\.patience=-1: must be a whole number from 0"),
        ({"cooldown": True}, r"schedule\.cooldown=True"),
        ({"threshold": 1.0}, r"schedule\.threshold=1\.0: must be a number from 0 to below 1"),
        ({"threshold_mode": "relative"}, r"threshold_mode=relative: valid: abs, rel"),
        ({"min_factor": 1.1}, r"schedule\.min_factor=1\.1: must be a number from 0 to 1"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Plateau(**settings)


def test_an_absolute_threshold_may_be_large() -> None:
    plateau = Plateau(threshold=5.0, threshold_mode="abs", patience=0)
    assert seen(plateau, [10.0, 5.0, 4.9]) == [1.0, 0.1, 0.1]
