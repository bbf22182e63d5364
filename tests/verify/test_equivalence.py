"""The experiments of the rows about twins, step sizes and parallel steps, and their tools."""

import math

import numpy as np
import pytest
import torch
from broken_rules import assert_sound

from sgdlab.verify import equivalence, parallel, robbins_monro

EXPERIMENTS = (*equivalence.EXPERIMENTS, *robbins_monro.EXPERIMENTS, *parallel.EXPERIMENTS)


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.__name__)
def test_theory_holds(experiment):
    found = list(experiment())
    off = [(c.row, c.predicted, c.measured, c.tolerance) for c in found if not c.passed]
    assert not off


def test_quick_rows_hold():
    assert_sound([*equivalence.kiefer_wolfowitz(), *parallel.local()])


def test_distance_is_relative_and_keeps_what_is_not_finite():
    one = torch.tensor([[3.0, 4.0], [3.0, 4.0]], dtype=torch.float64)
    other = torch.tensor([[3.0, 4.0], [0.0, 8.0]], dtype=torch.float64)
    assert equivalence.distances(one, other).tolist() == [0.0, 5 / 8]
    check = equivalence.same("0", "family", "x", one, other)
    assert check.measured == 5 / 8
    assert not check.passed
    other[1, 0] = math.nan
    assert not equivalence.same("0", "family", "x", one, other).passed


@pytest.mark.parametrize("modulus", [0.97, 1.03])
@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi])
def test_growth_finds_the_modulus_of_a_mode(modulus, angle):
    t = np.arange(200)
    x = modulus**t * np.cos(angle * t + 0.4) + 0.5**t
    found = parallel.growth(torch.from_numpy(np.stack([x, -7 * x], axis=1)))
    assert found == pytest.approx([modulus, modulus], rel=1e-9)


def test_largest_stable_interpolates_and_refuses_what_is_no_single_crossing():
    h = np.array([1.0, 2.0, 3.0])
    assert parallel.largest_stable(h, np.array([0.8, 0.9, 1.3])) == pytest.approx(2.25)
    assert math.isnan(parallel.largest_stable(h, np.array([0.8, 0.9, 0.95])))
    assert math.isnan(parallel.largest_stable(h, np.array([1.1, 1.2, 1.3])))
    assert math.isnan(parallel.largest_stable(np.arange(4.0), np.array([0.9, 1.1, 0.9, 1.1])))
