"""The experiments of the rows about twins, step sizes and parallel steps, and their tools."""

import math

import pytest
import torch
from broken_rules import assert_sound, experiments_of

from sgdlab.verify import equivalence, parallel, robbins_monro

EXPERIMENTS = experiments_of(equivalence, robbins_monro, parallel)


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
    check = equivalence.same("0", "x", one, other)
    assert check.measured == 5 / 8
    assert not check.passed
    other[1, 0] = math.nan
    assert not equivalence.same("0", "x", one, other).passed
