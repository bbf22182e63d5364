"""Settings drawn without looking at results: Sobol, random and grid."""

import itertools
import math

import numpy as np
import pytest
from drawn import draw
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kstest, qmc

from sgdlab.errors import InputError
from sgdlab.search import Dimension
from sgdlab.search.draw import random_points, seed_of, sobol_points
from sgdlab.search.grid import grid, points_per_dimension

LR = Dimension("lr", 1e-4, 1.0, log=True)
MOMENTUM = Dimension("optimizer.momentum", 0.0, 0.99)
SPACE = [LR, MOMENTUM]


def test_the_numbers_are_those_of_earlier_versions() -> None:
    # As drawn by version 0.1.0, before there were other methods.
    assert draw(SPACE, 4, 0, "adamw") == [
        {"lr": 0.5282, "optimizer.momentum": 0.4839},
        {"lr": 0.0003792, "optimizer.momentum": 0.6503},
        {"lr": 0.004895, "optimizer.momentum": 0.1323},
        {"lr": 0.0413, "optimizer.momentum": 0.9553},
    ]


def test_points_are_those_of_scipy_mapped_by_the_formula() -> None:
    trials = draw(SPACE, 40, seed=1, name="momentum")
    points = qmc.Sobol(2, rng=seed_of("1/momentum")).random_base2(6)
    for trial, (u, v) in zip(trials, points, strict=False):
        assert trial["lr"] == float(f"{1e-4 * 1e4**u:.4g}")
        assert trial["optimizer.momentum"] == float(f"{0.99 * v:.4g}")
    logs = np.sort([(math.log10(t["lr"]) + 4) / 4 for t in trials[:8]])
    # A scrambled Sobol net of 8 points has one in every eighth of each axis.
    assert (np.floor(logs * 8) == np.arange(8)).all()


def test_random_points_are_numpys() -> None:
    expected = np.random.default_rng(seed_of("random/3/sgd")).random((7, 2))
    drawn = list(itertools.islice(random_points(2, 3, "sgd"), 7))
    assert drawn == expected.tolist()
    assert [t["lr"] for t in draw(SPACE, 7, 3, "sgd", "random")] == [
        float(f"{1e-4 * 1e4**u:.4g}") for u, _ in expected
    ]


@pytest.mark.parametrize("method", ["sobol", "random"])
def test_a_log_scale_is_uniform_in_the_logarithm(method: str) -> None:
    lrs = [math.log(t["lr"]) for t in draw(SPACE, 256, 0, "sgd", method)]
    assert kstest(lrs, "uniform", (math.log(1e-4), math.log(1e4))).pvalue > 0.05


@pytest.mark.parametrize("method", ["sobol", "random"])
def test_a_longer_search_begins_with_the_shorter_one(method: str) -> None:
    longest = draw(SPACE, 70, 0, "sgd", method)
    for trials in (1, 2, 5, 16, 17, 32, 64):
        assert draw(SPACE, trials, 0, "sgd", method) == longest[:trials]
    few = [Dimension("a", choices=(1, 2, 3)), Dimension("b", 1, 4, integer=True)]
    assert draw(few, 5, 0, "sgd", method) == draw(few, 12, 0, "sgd", method)[:5]


@pytest.mark.parametrize("method", ["sobol", "random"])
def test_optimizers_and_seeds_have_numbers_of_their_own(method: str) -> None:
    assert draw(SPACE, 4, 0, "sgd", method) == draw(SPACE, 4, 0, "sgd", method)
    assert draw(SPACE, 4, 0, "sgd", method) != draw(SPACE, 4, 0, "adam", method)
    assert draw(SPACE, 4, 0, "sgd", method) != draw(SPACE, 4, 1, "sgd", method)


def test_choices_are_equally_likely() -> None:
    drawn = draw([LR, Dimension("nesterov", choices=(True, False))], 16, 0, "x")
    assert [t["nesterov"] for t in drawn].count(True) == 8


@pytest.mark.parametrize("method", ["sobol", "random"])
@pytest.mark.parametrize("trials", [1, 5, 12, 13, 100])
def test_a_small_space_gives_each_of_its_settings_once(method: str, trials: int) -> None:
    few = [Dimension("a", choices=(1, [2], None)), Dimension("b", 1, 4, integer=True)]
    drawn = draw(few, trials, 0, "x", method)
    assert len(drawn) == min(trials, 12)
    assert all(drawn.count(settings) == 1 for settings in drawn)


def test_a_space_without_dimensions_has_one_setting() -> None:
    assert draw([], 5, 0, "x") == [{}]
    assert next(sobol_points(0, 0, "x")) == ()


@pytest.mark.parametrize(
    ("dimensions", "trials", "counts"),
    [
        (SPACE, 16, (4, 4)),
        (SPACE, 12, (4, 3)),
        (SPACE[::-1], 12, (3, 4)),
        (SPACE, 13, (13, 1)),
        (SPACE, 1, (1, 1)),
        ([LR], 7, (7,)),
        ([LR, MOMENTUM, Dimension("c", choices=(1, 2))], 24, (4, 3, 2)),
        ([LR, MOMENTUM, Dimension("c", choices=(1, 2))], 64, (8, 4, 2)),
        # Balanced would be (2, 4): the rate comes first.
        ([LR, Dimension("c", choices=(1, 2, 3, 4))], 8, (4, 2)),
        ([Dimension("lr", choices=(1, 2)), MOMENTUM], 8, (2, 4)),
        ([MOMENTUM, Dimension("optimizer.eps", 1e-9, 1e-6, log=True)], 6, (3, 2)),
        ([LR, Dimension("k", 1, 3, integer=True)], 30, (10, 3)),
    ],
)
def test_trials_are_factorised(dimensions: list, trials: int, counts: tuple) -> None:
    assert points_per_dimension(dimensions, trials) == counts


CAPS = st.lists(st.integers(1, 7), min_size=1, max_size=3)


@given(CAPS, st.integers(1, 60))
def test_a_grid_exists_exactly_where_a_factorisation_does(caps: list[int], trials: int) -> None:
    dimensions = [Dimension(f"k{i}", choices=tuple(range(n))) for i, n in enumerate(caps)]
    products = {math.prod(c) for c in itertools.product(*(range(1, n + 1) for n in caps))}
    if trials in products:
        points = grid(dimensions, trials)
        assert len(points) == len({tuple(p.values()) for p in points}) == trials
        return
    with pytest.raises(InputError) as error:
        grid(dimensions, trials)
    right = [max(n for n in products if n < trials)]
    right += [n for n in sorted(products) if n > trials][:1]
    expected = " or ".join(f"trials={n}" for n in right)
    assert str(error.value).endswith(f"has {trials} points; {expected} would do")


def test_grid_points_stand_at_both_ends_or_in_the_middle() -> None:
    points = grid([LR, MOMENTUM, Dimension("c", choices=("x", "y"))], 5)
    assert points == [
        {"lr": lr, "optimizer.momentum": 0.495, "c": "x"} for lr in (1e-4, 1e-3, 1e-2, 0.1, 1.0)
    ]
    assert grid([LR], 1) == [{"lr": 0.01}]
    assert [p["k"] for p in grid([Dimension("k", 1, 9, integer=True)], 3)] == [1, 5, 9]
    assert [p["k"] for p in grid([Dimension("k", choices=(5, 10, 20, 50))], 2)] == [5, 50]
    # Rounded, the geometric points 1, 1.9, 3.7, 7.1… would be 1, 2, 4, 7; the first coincide here:
    close = grid([Dimension("k", 1, 10, log=True, integer=True)], 8)
    assert [p["k"] for p in close] == [1, 2, 3, 4, 5, 6, 7, 10]


def test_a_grid_in_a_narrow_range_has_as_many_digits_as_it_takes() -> None:
    points = [p["b"] for p in grid([Dimension("b", 0.9991, 0.9993)], 5)]
    assert points == pytest.approx([0.9991, 0.99915, 0.9992, 0.99925, 0.9993], abs=1e-12)
    assert len(set(points)) == 5


def test_a_grid_of_a_thousand_points_over_six_dimensions_is_found_at_once() -> None:
    dimensions = [LR, *(Dimension(f"k{i}", 0.0, 1.0) for i in range(5))]
    assert points_per_dimension(dimensions, 1024) == (4, 4, 4, 4, 2, 2)
