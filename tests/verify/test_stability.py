"""The tools that find the limit of stability."""

import math

import numpy as np
import pytest
import torch

from sgdlab.verify.stability import around, growth, largest_stable


def test_limits_of_stability_enclose():
    h = around(2.0)
    assert len(h) == 40
    assert (np.diff(h) > 0).all()
    assert h[19] < 2.0 < h[20]


@pytest.mark.parametrize("modulus", [0.97, 1.03])
@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi])
def test_growth_finds_the_modulus_of_a_mode(modulus, angle):
    t = np.arange(200)
    x = modulus**t * np.cos(angle * t + 0.4) + 0.5**t
    found = growth(torch.from_numpy(np.stack([x, -7 * x], axis=1)))
    assert found == pytest.approx([modulus, modulus], rel=1e-9)


def test_largest_stable_interpolates_and_refuses_what_is_no_single_crossing():
    h = np.array([1.0, 2.0, 3.0])
    assert largest_stable(h, np.array([0.8, 0.9, 1.3])) == pytest.approx(2.25)
    assert math.isnan(largest_stable(h, np.array([0.8, 0.9, 0.95])))
    assert math.isnan(largest_stable(h, np.array([1.1, 1.2, 1.3])))
    assert math.isnan(largest_stable(np.arange(4.0), np.array([0.9, 1.1, 0.9, 1.1])))
