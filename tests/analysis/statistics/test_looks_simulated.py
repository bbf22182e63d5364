"""How often several looks name a winner where there is none, and what they save where there is.

`t_at` is the t statistic of thousands of studies at every look; that the thresholds below are those
of `over_looks` is a test of its own.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import stdtrit
from scipy.stats import nct, skew

from guarded import widening
from sgdlab.analysis.statistics import (
    ANYTIME,
    PLANNED,
    Looks,
    anytime_quantile,
    johnson_t,
    nominal_level,
    over_looks,
    paired_t,
    seeds_needed,
)

Array = NDArray[np.float64]
MOST = 50

LAWS: dict[str, tuple[Callable[[Generator, tuple[int, int]], Array], float]] = {
    "normal": (lambda rng, of: rng.normal(size=of) - rng.normal(size=of), 0.0),
    "heavy": (lambda rng, of: rng.standard_t(3, size=of) - rng.standard_t(3, size=of), 0.0),
    "accuracy": (lambda rng, of: _right(rng, of, 360, 0.97), 1 / 360),
    "coarse": (lambda rng, of: _right(rng, of, 36, 0.95), 1 / 36),
    "exponential": (lambda rng, of: rng.exponential(size=of) - rng.exponential(size=of), 0.0),
    "lognormal": (lambda rng, of: np.exp(rng.normal(size=of)) - np.exp(rng.normal(size=of)), 0.0),
    "one skewed": (lambda rng, of: 2 * rng.exponential(size=of) - 2 - rng.normal(size=of), 0.0),
}
"""Differences of two optimizers without a difference in the mean, and the step between values."""


def _right(rng: Generator, of: tuple[int, int], examples: int, share: float) -> Array:
    first, second = rng.binomial(examples, share, size=(2, *of))
    return (first - second) / examples


def t_at(d: Array, step: float = 0.0) -> Array:
    """Return the t statistic of the first n columns, for every n; infinite without a spread."""
    n = np.arange(1, d.shape[1] + 1)
    mean = d.cumsum(axis=1) / n
    variance = ((d**2).cumsum(axis=1) - n * mean**2) / np.maximum(n - 1, 1)
    still = variance < 1e-12
    spread = np.where(still, step**2 / 12, variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(mean * np.sqrt(n) / np.sqrt(spread), posinf=np.inf, neginf=-np.inf)


def anytime() -> Array:
    """The |t| at which a look after n = 1 … 50 replicates decides."""
    return np.array([anytime_quantile(n) * widening(n) for n in range(1, MOST + 1)])


def student() -> Array:
    return np.array([np.inf, *stdtrit(np.arange(1, MOST), 0.975)])


def planned(most: int, batch: int = 5) -> tuple[list[int], Array]:
    looks = [*range(5, most, batch), most]
    fractions = tuple(n / most for n in looks)
    levels = [nominal_level(0.05, fractions, look) for look in range(len(looks))]
    return looks, np.array(
        [
            stdtrit(n - 1, 1 - level / 2) * (1 + min(0.13, 3 / n))
            for n, level in zip(looks, levels, strict=True)
        ]
    )


def named(law: str, studies: int, looks: list[int], bounds: Array, seed: int = 0) -> float:
    draw, step = LAWS[law]
    t = t_at(draw(np.random.default_rng(seed), (studies, MOST)), step)
    return float((np.abs(t[:, np.array(looks) - 1]) > bounds).any(axis=1).mean())


EVERY = list(range(1, MOST + 1))


def test_the_thresholds_are_those_of_the_verdict() -> None:
    looks, bounds = planned(40)
    d = np.random.default_rng(1).normal(0.5, 1, (40, 40))
    t = np.abs(t_at(d))
    for study, values in enumerate(d):
        for design, counts, limits in (
            (PLANNED, looks[:4], bounds[:4]), (ANYTIME, [5, 9, 20], anytime()[[4, 8, 19]])
        ):  # fmt: skip
            tests = [paired_t(list(values[:n]), [0.0] * n) for n in counts]
            plan = tuple(looks) if design == PLANNED else ()
            found = over_looks(tests, Looks(design, tuple(counts), plan))
            crossed = (t[study, np.array(counts) - 1] > limits).any()
            assert (found.p < 0.05) == crossed


@pytest.mark.parametrize("law", LAWS)
def test_looking_after_every_replicate_keeps_the_level(law: str) -> None:
    assert named(law, 2000, EVERY, anytime()) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 2000)


def test_the_t_test_repeated_does_not() -> None:
    assert named("normal", 2000, EVERY, student()) > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_a_winner_without_a_difference_with_a_look_after_every_replicate(law: str) -> None:
    """Up to 50 replicates: at most 5 %; the t-test repeated more than 20 %."""
    sure, repeated = named(law, 40_000, EVERY, anytime()), named(law, 40_000, EVERY, student())
    print(f"{law}: {100 * sure:.1f} % at any time, {100 * repeated:.1f} % by repeated t-tests")
    assert sure <= 0.05
    assert repeated > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("most", [10, 20, 40, 50])
@pytest.mark.parametrize("law", LAWS)
def test_a_winner_without_a_difference_with_planned_looks(law: str, most: int) -> None:
    rate = named(law, 40_000, *planned(most))
    print(f"{law}: {100 * rate:.1f} % with looks up to {most}")
    assert rate <= 0.055


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS)
def test_a_fixed_comparison_that_is_continued_whenever_undecided(law: str) -> None:
    """The first look is judged as the only one, all others at any time."""
    draw, step = LAWS[law]
    first, later, doubted = continued(draw(np.random.default_rng(0), (40_000, MOST)), step)
    print(
        f"{law}: {100 * (first + later):.1f} %, {100 * later:.1f} % of it later, of which "
        f"{100 * doubted / later:.0f} % are doubted"
    )
    assert first + later <= (0.075 if law == "one skewed" else 0.05)
    assert later <= 0.02
    if law == "one skewed":
        assert doubted / later > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("law", "most"), [("normal", 0.22), ("one skewed", 0.02), ("one skewed, lower", 0.8)]
)
def test_winners_of_later_looks_are_doubted_where_one_is_skewed(law: str, most: float) -> None:
    """Of true winners, at 0.7 sd; of a skewed one with the lower mean nothing tells them apart."""
    draw, step = LAWS[law.partition(",")[0]]
    d = draw(np.random.default_rng(1), (20_000, MOST))
    d = (-1 if "lower" in law else 1) * d / d.std() + 0.7
    _, later, doubted = continued(d, step)
    print(f"{law}: {100 * later:.1f} % named later, {100 * doubted / later:.0f} % of them doubted")
    assert doubted / later <= most


def continued(d: Array, step: float) -> tuple[float, float, float]:
    """Return how many studies name a winner at the first look, later, and later with a doubt."""
    looks = np.arange(5, MOST + 1, 5)
    t, bounds = t_at(d, step)[:, looks - 1], anytime()[looks - 1]
    named_first = np.abs(t[:, 0]) > student()[4] * widening(5)
    crossed = np.abs(t[:, 1:]) > bounds[1:]
    at = crossed.argmax(axis=1) + 1
    rows = np.flatnonzero(~named_first & crossed.any(axis=1))
    doubted = 0
    for row in rows:
        n, value = looks[at[row]], t[row, at[row]]
        if step and np.ptp(d[row, :n]) < 1e-12:
            continue
        skewness = float(skew(d[row, :n]))
        corrected = johnson_t(value / widening(n), skewness, n)
        doubted += not (corrected * value > 0 and abs(corrected) > anytime_quantile(n))
    return float(named_first.mean()), len(rows) / len(d), doubted / len(d)


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.5, 0.7, 1.0, 1.5, 2.0])
def test_replicates_on_average_against_the_fixed_design(effect: float) -> None:
    """Planned looks find what 40 replicates find, with fewer."""
    d = np.random.default_rng(2).normal(effect, 1, (20_000, MOST))
    t = np.abs(t_at(d))
    looks, bounds = planned(40)
    crossed = t[:, np.array(looks) - 1] > bounds
    used = np.where(crossed.any(axis=1), np.array(looks)[crossed.argmax(axis=1)], 40)
    at_any = t > anytime()
    until = np.where(at_any.any(axis=1), at_any.argmax(axis=1) + 1, MOST)
    critical, shift = stdtrit(39, 0.975) * widening(40), effect * math.sqrt(40)
    fixed = float(nct.sf(critical, 39, shift))
    print(
        f"{effect}: power {crossed.any(axis=1).mean():.3f} with {used.mean():.1f} of 40 planned "
        f"(fixed 40: {fixed:.3f}; {seeds_needed(effect, 1.0):.0f} for 80 %); at any time "
        f"{at_any.any(axis=1).mean():.3f} with {until.mean():.1f} of 50"
    )
    assert used.mean() < 0.85 * 40
    assert crossed.any(axis=1).mean() > fixed - 0.06
