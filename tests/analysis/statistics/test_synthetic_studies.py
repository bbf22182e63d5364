"""How often verdicts and intervals are wrong, over synthetic studies without a true difference.

`named` is the verdict in closed form for thousands of studies at once; that it is the verdict of
`judge` is a test of its own, and the slow test repeats the count with `judge` itself.
"""

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from guarded import widening
from sgdlab.analysis.statistics import (
    ALPHA,
    EQUIVALENT,
    FIRST_BETTER,
    SECOND_BETTER,
    describe,
    judge,
    paired_t,
)

Array = NDArray[np.float64]
Draw = Callable[[Generator, tuple[int, ...]], Array]

ERRORS: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "exponential": lambda rng, shape: rng.exponential(size=shape) - 1,
    "lognormal": lambda rng, shape: np.exp(rng.normal(size=shape)) - math.exp(0.5),
    "heavy": lambda rng, shape: rng.standard_t(3, size=shape),
    "accuracy": lambda rng, shape: rng.binomial(360, 0.97, size=shape) / 360 - 0.97,
    "coarse": lambda rng, shape: rng.binomial(36, 0.95, size=shape) / 36 - 0.95,
}
STUDIES = 20_000


def unlike(rng: Generator, shape: tuple[int, ...]) -> Array:
    """Exponential errors of one optimizer, with twice the spread of the others' normal ones."""
    values = rng.normal(size=shape)
    values[:, 0] = 2 * (rng.exponential(size=values[:, 0].shape) - 1)
    return values


def limit(rate: float, studies: int) -> float:
    """A rate and three Monte Carlo standard errors."""
    return rate + 3 * math.sqrt(rate * (1 - rate) / studies)


def differences(values: Array) -> Array:
    """Paired differences of every pair: studies × pairs × units of studies × optimizers × units."""
    first, second = np.array(list(combinations(range(values.shape[1]), 2))).T
    return values[:, first] - values[:, second]


def t_of(sample: Array) -> Array:
    """Student's t along the last axis; NaN where there is no spread."""
    still = np.ptp(sample, axis=-1) < 1e-12
    error = np.where(still, np.nan, sample.std(axis=-1, ddof=1)) / math.sqrt(sample.shape[-1])
    return sample.mean(axis=-1) / error


def t_of_pairs(values: Array) -> Array:
    """Student's t of every pair; without a spread the step between values is in its place."""
    first, second = np.array(list(combinations(range(values.shape[1]), 2))).T
    sample = differences(values)
    both = np.sort(np.concatenate([values[:, first], values[:, second]], axis=-1), axis=-1)
    gaps = np.diff(both, axis=-1)
    step = np.where(gaps > 1e-12, gaps, np.inf).min(axis=-1)
    still = np.ptp(sample, axis=-1) < 1e-12
    spread = np.where(still, step / math.sqrt(12), sample.std(axis=-1, ddof=1))
    return sample.mean(axis=-1) * math.sqrt(sample.shape[-1]) / spread


def named(values: Array, *, student: bool = False) -> NDArray[np.bool_]:
    """Whether a study names any winner: its smallest p by the number of pairs is below ALPHA."""
    units = values.shape[2]
    t = t_of_pairs(values) / (1.0 if student else widening(units))
    p = 2 * stdtr(units - 1, -np.abs(t))
    return p.min(axis=1) * p.shape[1] < ALPHA


def verdicts(study: Array, margin: float | None = None) -> list[str]:
    samples = [
        (str(i), {float(unit): float(value) for unit, value in enumerate(values)})
        for i, values in enumerate(study)
    ]
    return [judgement.verdict for judgement in judge(samples, maximise=True, margin=margin)]


def winners(study: Array) -> bool:
    return bool({FIRST_BETTER, SECOND_BETTER} & set(verdicts(study)))


@pytest.mark.parametrize("errors", ERRORS)
def test_what_counts_as_named_is_the_verdict_of_judge(errors: str) -> None:
    for contenders, units in ((2, 3), (3, 5), (6, 10)):
        rng = np.random.default_rng(units)
        values = ERRORS[errors](rng, (30, contenders, units))
        values[:, 0] += rng.normal(0, 1, (30, 1)) * values.std()
        assert list(named(values)) == [winners(study) for study in values]


@pytest.mark.parametrize("errors", ERRORS)
@pytest.mark.parametrize("units", [3, 5, 10])
@pytest.mark.parametrize("contenders", [2, 3, 6])
def test_a_winner_is_named_in_at_most_5_percent(contenders: int, units: int, errors: str) -> None:
    """The family-wise rate over 2, 3 and 6 optimizers whose errors are alike."""
    rng = np.random.default_rng(100 * contenders + units)
    rate = named(ERRORS[errors](rng, (STUDIES, contenders, units))).mean()
    assert rate <= limit(ALPHA, STUDIES)


def test_normal_errors_use_what_the_wider_error_leaves_of_the_5_percent() -> None:
    for units, share in ((3, 0.041), (5, 0.036), (10, 0.035)):
        values = np.random.default_rng(units).normal(size=(STUDIES, 2, units))
        assert named(values).mean() == pytest.approx(share, abs=limit(share, STUDIES) - share)
        assert named(values, student=True).mean() == pytest.approx(ALPHA, abs=0.005)


def test_units_that_share_a_seed_effect_change_nothing() -> None:
    rng = np.random.default_rng(8)
    values = rng.normal(size=(STUDIES, 3, 5)) + 20 * rng.exponential(size=(STUDIES, 1, 5))
    assert named(values).mean() <= limit(ALPHA, STUDIES)


@pytest.mark.parametrize("units", [3, 5, 10])
def test_errors_of_unlike_shape_name_a_winner_in_5_5_percent_and_not_7(units: int) -> None:
    """One optimizer has exponential errors, the others normal ones."""
    for contenders in (2, 3, 6):
        values = unlike(np.random.default_rng(units), (STUDIES, contenders, units))
        assert named(values).mean() <= limit(0.055, STUDIES)
        assert 0.05 < named(values, student=True).mean() < 0.08


@pytest.mark.slow
@pytest.mark.parametrize("errors", [*ERRORS, "one skewed"])
def test_both_errors_in_every_cell_of_the_documented_table(errors: str) -> None:
    """docs/comparisons.md: what is tested, and Student's t beside it."""
    draw = ERRORS.get(errors, unlike)
    for units in (3, 5, 10, 20):
        told: list[str] = []
        for contenders in (2, 3, 6):
            values = draw(np.random.default_rng(units), (40_000, contenders, units))
            rate, student = named(values).mean(), named(values, student=True).mean()
            told.append(f"{100 * rate:.1f} ({100 * student:.1f})")
            assert rate <= (0.0565 if errors == "one skewed" else ALPHA)
        print(f"{errors}, {units} units: {' / '.join(told)}")


@pytest.mark.slow
@pytest.mark.parametrize("errors", ["normal", "exponential", "heavy", "one skewed"])
def test_power_that_the_wider_error_costs(errors: str) -> None:
    """At a difference that Student's t finds in 80 % of normal studies."""
    draw = ERRORS.get(errors, unlike)
    sd = {"normal": 2, "exponential": 2, "heavy": 6, "one skewed": 5}[errors] ** 0.5
    for units, effect in ((3, 3.26), (5, 1.68), (10, 1.0), (20, 0.66)):
        values = draw(np.random.default_rng(units), (40_000, 2, units))
        values[:, 0] += effect * sd
        rate, student = named(values).mean(), named(values, student=True).mean()
        print(f"{errors}, {units} units: {100 * rate:.1f} ({100 * student:.1f})")
        assert student - 0.15 < rate < student


@pytest.mark.slow
@pytest.mark.parametrize("errors", ERRORS)
@pytest.mark.parametrize("units", [3, 5, 10])
@pytest.mark.parametrize("contenders", [2, 3, 6])
def test_judge_names_a_winner_in_at_most_5_percent(
    contenders: int, units: int, errors: str
) -> None:
    rng = np.random.default_rng(7 + 100 * contenders + units)
    values = ERRORS[errors](rng, (2000, contenders, units))
    assert np.mean([winners(study) for study in values]) <= limit(ALPHA, 2000)


@pytest.mark.parametrize("units", [3, 5, 10])
@pytest.mark.parametrize(
    ("errors", "least", "most"),
    [
        ("normal", 0.955, 0.97),
        ("exponential", 0.965, 0.985),
        ("lognormal", 0.975, 0.99),
        ("heavy", 0.965, 0.98),
        ("accuracy", 0.95, 0.97),
        ("coarse", 0.95, 0.985),
    ],
)
def test_interval_of_the_difference_covers(
    errors: str, least: float, most: float, units: int
) -> None:
    """93–97 % is asked (issue 5); with the wider error they cover 96 to 98 %, on the safe side."""
    rng = np.random.default_rng(units)
    t = t_of(differences(ERRORS[errors](rng, (STUDIES, 2, units)))[:, 0]) / widening(units)
    covered = np.mean(np.abs(t[~np.isnan(t)]) < stdtrit(units - 1, 0.975))
    print(errors, units, covered)
    assert least < covered < most


@pytest.mark.parametrize(
    ("errors", "least", "most"),
    [
        ("normal", 0.94, 0.96),
        ("heavy", 0.95, 0.97),
        ("accuracy", 0.94, 0.96),
        ("exponential", 0.86, 0.91),
        ("lognormal", 0.80, 0.86),
    ],
)
def test_t_interval_of_the_mean_covers_unless_errors_are_skewed(
    errors: str, least: float, most: float
) -> None:
    for units in (3, 5, 10):
        values = ERRORS[errors](np.random.default_rng(units), (STUDIES, units))
        t = t_of(values)
        covered = np.mean(np.abs(t[~np.isnan(t)]) < stdtrit(units - 1, 0.975))
        assert least < covered < most


def bca_covers(errors: str, units: int, studies: int) -> float:
    values = ERRORS[errors](np.random.default_rng(units), (studies, units))
    found = [describe(list(map(float, sample))) for sample in values]
    return float(np.mean([d.bca_low < 0 < d.bca_high for d in found if d.sd > 0]))


def test_bca_interval_of_five_normal_units_is_too_narrow() -> None:
    assert bca_covers("normal", 5, 600) == pytest.approx(0.84, abs=0.045)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("errors", "covered"),
    [
        ("normal", (0.73, 0.84, 0.91)),
        ("heavy", (0.71, 0.81, 0.86)),
        ("accuracy", (0.72, 0.84, 0.90)),
        ("exponential", (0.68, 0.80, 0.88)),
        ("lognormal", (0.62, 0.74, 0.83)),
    ],
)
def test_bca_interval_covers_as_documented(errors: str, covered: tuple[float, ...]) -> None:
    found = [bca_covers(errors, units, 4000) for units in (3, 5, 10)]
    assert found == pytest.approx(list(covered), abs=0.025)


def test_equivalence_at_the_margin_is_declared_in_5_percent_of_normal_studies() -> None:
    for units in (3, 5, 10):
        d = np.random.default_rng(units).normal(1.0, 0.1, (1000, units))
        none = [0.0] * units
        tests = [paired_t(list(map(float, sample)), none, margin=1.0) for sample in d]
        declared = np.mean([test.p_equivalence < ALPHA for test in tests])
        assert 0.02 < declared <= limit(ALPHA, 1000)


@pytest.mark.parametrize("contenders", [2, 4])
def test_equivalent_is_the_verdict_of_at_most_5_percent_at_the_margin(contenders: int) -> None:
    # Little noise would make a winner of the gap, so the margin is half a standard deviation.
    rng = np.random.default_rng(contenders)
    values = rng.normal(size=(300, contenders, 5))
    values += 0.7 * np.arange(contenders)[:, None]
    declared = [EQUIVALENT in verdicts(study, margin=0.7) for study in values]
    assert np.mean(declared) <= limit(ALPHA, 300)


@pytest.mark.parametrize("units", [3, 5, 10])
@pytest.mark.parametrize("errors", ERRORS)
def test_equivalence_at_the_margin_whatever_the_errors(errors: str, units: int) -> None:
    d = differences(ERRORS[errors](np.random.default_rng(units), (STUDIES, 2, units)))[:, 0]
    margin = 4 * d.std()
    # The larger of the two one-sided p-values is the one by the nearer margin.
    t = t_of(d + margin - margin * np.sign((d + margin).mean(axis=1, keepdims=True)))
    declared = stdtr(units - 1, np.nan_to_num(t) / widening(units)) < ALPHA
    assert declared.mean() <= limit(ALPHA, STUDIES)


def test_equivalence_is_found_where_it_is_clear() -> None:
    values = np.random.default_rng(1).normal(0, 0.1, (300, 2, 5))
    found = [verdicts(study, margin=1.0)[0] for study in values]
    assert found.count(EQUIVALENT) / 300 > 0.9
    assert found.count(FIRST_BETTER) + found.count(SECOND_BETTER) <= 300 * limit(ALPHA, 300)
