"""p-values and intervals over several looks, against joint normals, mixtures and published ones."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from guarded import widening
from sgdlab.analysis.statistics import (
    ANYTIME,
    FIRST_BETTER,
    PLANNED,
    UNDECIDED,
    Looks,
    PairedTest,
    anytime_p,
    anytime_quantile,
    judge,
    nominal_level,
    over_looks,
    overall_p,
    paired_t,
    seeds_needed,
    target_claims,
    welch,
)
from sgdlab.analysis.statistics.anytime import anytime_apart, anytime_reach, anytime_z
from sgdlab.analysis.statistics.welch import errors_of

FIVE = tuple(k / 5 for k in range(1, 6))
RNG = np.random.default_rng(3)
PAIRS = RNG.normal(0.8, 1.0, 20)


def test_boundaries_are_the_published_ones_of_five_looks() -> None:
    """Reboussin, DeMets, Kim & Lan (2000), O'Brien–Fleming shape, two-sided 0.05."""
    found = [-stats.norm.ppf(nominal_level(0.05, FIVE, look) / 2) for look in range(5)]
    assert found == pytest.approx([4.8769, 3.3569, 2.6803, 2.2898, 2.0310], abs=2e-4)


@pytest.mark.parametrize("level", [0.01, 0.05, 0.3])
def test_looks_together_keep_the_level_by_the_joint_normal(level: float) -> None:
    fractions = (0.2, 0.5, 1.0)
    z = [-stats.norm.ppf(nominal_level(level, fractions, look) / 2) for look in range(3)]
    joint = [[math.sqrt(min(a, b) / max(a, b)) for a in fractions] for b in fractions]
    none = stats.multivariate_normal(np.zeros(3), joint)
    kept = none.cdf(z, lower_limit=[-one for one in z])
    assert 1 - kept == pytest.approx(level, abs=2e-4)


def test_one_planned_look_tests_at_the_whole_level() -> None:
    assert nominal_level(0.05, (1.0,), 0) == pytest.approx(0.05, rel=1e-4)
    assert overall_p(0.0312, (1.0,), 0) == pytest.approx(0.0312, rel=1e-3)


@pytest.mark.parametrize("look", range(5))
def test_the_overall_p_value_is_the_level_whose_boundary_is_reached(look: int) -> None:
    for level in (0.001, 0.05, 0.4):
        assert overall_p(nominal_level(level, FIVE, look), FIVE, look) == pytest.approx(level)
    assert overall_p(1.0, FIVE, look) == 1.0
    assert overall_p(0.0, FIVE, look) < 1e-12


@pytest.mark.parametrize(("t", "n"), [(0.3, 5), (2.5, 5), (-3.1, 12), (6.0, 8), (2.0, 50)])
def test_the_anytime_p_value_is_one_over_the_mixture(t: float, n: int) -> None:
    def weighted(effect: float) -> float:
        return stats.nct.pdf(t, n - 1, effect * math.sqrt(n)) * stats.norm.pdf(effect)

    mixture = quad(weighted, -8, 8, limit=200)[0] / stats.t.pdf(t, n - 1)
    assert anytime_p(t, n) == pytest.approx(min(1.0, 1 / mixture), rel=1e-6)


@pytest.mark.parametrize(("z", "n"), [(1.0, 3), (3.0, 10), (-4.0, 40)])
def test_the_anytime_p_value_of_a_known_spread(z: float, n: int) -> None:
    def weighted(effect: float) -> float:
        return stats.norm.pdf(z - effect * math.sqrt(n)) * stats.norm.pdf(effect)

    mixture = quad(weighted, -8, 8, limit=200)[0] / stats.norm.pdf(z)
    assert anytime_z(z, n) == pytest.approx(min(1.0, 1 / mixture), rel=1e-6)


def test_the_anytime_quantile_is_where_the_p_value_is_the_level() -> None:
    for n in (5, 10, 50):
        assert anytime_p(anytime_quantile(n), n) == pytest.approx(0.05)
    assert [math.isinf(anytime_quantile(n)) for n in range(1, 7)] == [True] * 4 + [False] * 2
    assert anytime_p(1e9, 4) > 0.05
    assert anytime_p(3.0, 1) == 1.0


def test_independent_samples_are_apart_where_their_sequences_do_not_meet() -> None:
    a, b = list(RNG.normal(0, 1, 9)), list(RNG.normal(4, 3, 14))
    errors, counts = errors_of(a, b)
    assert errors == pytest.approx((stats.sem(a), stats.sem(b)))
    gap = float(np.mean(b) - np.mean(a))
    p = anytime_apart(gap, errors, counts)
    assert 0 < p < 1
    assert anytime_reach(errors, counts, p) == pytest.approx(gap)
    known = errors[0] * anytime_quantile(9, 0.025) + errors[1] * anytime_quantile(14, 0.025)
    assert anytime_reach(errors, counts) == pytest.approx(known)


def at(counts: tuple[int, ...], margin: float | None = None) -> list[PairedTest]:
    return [paired_t(list(PAIRS[:n]), [0.0] * n, margin) for n in counts]


def test_planned_looks_have_the_least_overall_p_value_and_the_repeated_interval() -> None:
    looks = Looks(PLANNED, (5, 10, 15), (5, 10, 15, 20))
    found = over_looks(at(looks.made, 3.0), looks, 3.0)
    fractions = (0.25, 0.5, 0.75, 1.0)
    p, within = [], []
    for place, n in enumerate(looks.made):
        d = PAIRS[:n]
        error = stats.sem(d) * (1 + min(0.13, 3 / n))
        p.append(overall_p(2 * stats.t.sf(abs(d.mean()) / error, n - 1), fractions, place))
        nearer = stats.t.sf((3.0 - abs(d.mean())) / error, n - 1)
        within.append(overall_p(2 * nearer, fractions, place) / 2)
    assert found.p == pytest.approx(min(p))
    assert found.p_equivalence == pytest.approx(min(within))
    level = nominal_level(0.05, fractions, 2)
    half = stats.t.isf(level / 2, 14) * stats.sem(PAIRS[:15]) * 1.13
    assert (found.ci_low, found.ci_high) == pytest.approx(
        (PAIRS[:15].mean() - half, PAIRS[:15].mean() + half)
    )
    assert math.isnan(found.p_wilcoxon)
    assert looks.note == "look 3 of 4 planned"


def test_looks_that_were_not_planned_have_the_confidence_sequence() -> None:
    looks = Looks(ANYTIME, (5, 12))
    found = over_looks(at(looks.made, 2.0), looks, 2.0)
    t = [PAIRS[:n].mean() / (stats.sem(PAIRS[:n]) * widening(n)) for n in looks.made]
    assert found.p == pytest.approx(min(map(anytime_p, t, looks.made)))
    half = anytime_quantile(12) * stats.sem(PAIRS[:12]) * widening(12)
    assert found.ci_high - found.mean == pytest.approx(half)
    gaps = [(2.0 - PAIRS[:n].mean()) / (stats.sem(PAIRS[:n]) * widening(n)) for n in looks.made]
    assert found.p_equivalence == pytest.approx(min(map(anytime_p, gaps, looks.made)))
    assert looks.note == "look 2, not planned"


def test_a_difference_beyond_the_margin_is_not_within_it() -> None:
    for looks in (Looks(PLANNED, (10,), (10, 20)), Looks(ANYTIME, (10,))):
        assert over_looks(at((10,), 0.01), looks, 0.01).p_equivalence == 1.0


def test_one_look_and_equal_values_are_left_as_they_are() -> None:
    (plain,) = at((8,))
    assert over_looks([plain], Looks()) is plain
    equal = paired_t([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert over_looks([equal], Looks(ANYTIME)) is equal


def test_what_was_decided_at_a_look_stays_decided() -> None:
    early = np.concatenate([RNG.normal(2.0, 0.3, 10), RNG.normal(-1.0, 2.0, 5)])
    samples = [("a", dict(enumerate(early))), ("b", dict.fromkeys(range(15), 0.0))]
    before = [[(name, {u: v for u, v in values.items() if u < n}) for name, values in samples]
              for n in (5, 10)]  # fmt: skip
    looks = Looks(PLANNED, (5, 10, 15), (5, 10, 15, 20))
    (now,) = judge(samples, maximise=True, looks=looks, earlier=before)
    (alone,) = judge(samples, maximise=True)
    assert (now.verdict, alone.verdict) == (FIRST_BETTER, UNDECIDED)
    assert now.note == "look 3 of 4 planned"


def test_independent_runs_are_judged_at_any_time() -> None:
    a, b = RNG.normal(0, 1, 12), RNG.normal(6, 1, 12)
    samples = [("a", dict(enumerate(a))), ("b", dict(enumerate(b)))]
    (found,) = judge(samples, maximise=False, paired=False, looks=Looks(ANYTIME))
    known = anytime_apart(float(a.mean() - b.mean()), *errors_of(list(a), list(b)))
    assert found.p_adjusted == pytest.approx(known)
    assert found.p_adjusted > welch(list(a), list(b)).p
    assert found.verdict == FIRST_BETTER


@pytest.mark.parametrize("sigma", [None, 0.5])
def test_claims_of_a_target_hold_at_any_time(sigma: float | None) -> None:
    values = dict(enumerate(RNG.normal(2.0, 0.5, 12)))
    (found,) = target_claims([("a", values)], 3.0, maximise=False, sigma=sigma, anytime=True)
    p = anytime_p(found.statistic, 12) if sigma is None else anytime_z(found.statistic, 12)
    assert (found.p, found.verdict) == (pytest.approx(p), "holds")
    (other,) = target_claims([("a", values)], 1.0, maximise=False, sigma=sigma, anytime=True)
    assert (other.p, other.verdict) == (1.0, "refuted")


@pytest.mark.parametrize("effect", [0.6, 1.2, 3.0])
def test_the_units_of_a_look_that_was_not_planned(effect: float) -> None:
    def power(n: int) -> float:
        critical, shift = anytime_quantile(n) * widening(n), effect * math.sqrt(n)
        return float(stats.nct.sf(critical, n - 1, shift))  # the other side is below 1e-6

    n = int(seeds_needed(effect, 1.0, design=ANYTIME))
    assert power(n) >= 0.8
    assert n == 5 or power(n - 1) < 0.8
    assert n > seeds_needed(effect, 1.0)


def test_the_units_needed_are_those_of_the_test_that_the_looks_ask_for() -> None:
    d = stats.norm.ppf((np.arange(8) + 0.5) / 8)
    d = 0.6 + (d - d.mean()) / d.std(ddof=1)
    samples = [("a", dict(enumerate(d))), ("b", dict.fromkeys(range(8), 0.0))]

    def needed(looks: Looks, paired: bool = True) -> float:
        return judge(samples, maximise=True, looks=looks, paired=paired)[0].seeds_needed

    def power(n: int, critical: float) -> float:
        return float(stats.nct.sf(critical, n - 1, 0.6 * math.sqrt(n)))

    found = int(needed(Looks(ANYTIME)))
    assert found == seeds_needed(0.6, 1.0, design=ANYTIME) > needed(Looks())
    ends = [power(n, anytime_quantile(n) * widening(n)) for n in (found, found - 1)]
    assert ends[0] >= 0.8 > ends[1]
    found = int(needed(Looks(PLANNED, (8,), (8, 16))))
    wide = [1 + min(0.13, 3 / n) for n in (found, found - 1)]
    ends = [
        power(n, float(stats.t.ppf(0.975, n - 1)) * wider)
        for n, wider in zip((found, found - 1), wide, strict=True)
    ]
    assert ends[0] >= 0.8 > ends[1]


def test_the_units_needed_of_independent_samples_at_any_time() -> None:
    """Their two intervals must part: simulated, of equal spread."""
    rng, n = np.random.default_rng(3), int(seeds_needed(1.0, 1.0, design=ANYTIME, apart=True))

    def power(n: int) -> float:
        a, b = rng.normal(1, math.sqrt(0.5), (4000, n)), rng.normal(0, math.sqrt(0.5), (4000, n))
        errors = (a.std(axis=1, ddof=1) + b.std(axis=1, ddof=1)) / math.sqrt(n)
        reach = anytime_reach((1.0, 0.0), (n, n))
        return float(np.mean(a.mean(axis=1) - b.mean(axis=1) > reach * errors))

    assert power(n) > 0.8
    assert power(int(seeds_needed(1.0, 1.0, design=ANYTIME))) < 0.5
    samples = [(name, dict(enumerate(rng.normal(0, 1, 6)))) for name in "ab"]
    found = judge(samples, maximise=True, looks=Looks(ANYTIME), paired=False)[0]
    test = found.test
    assert found.seeds_needed == seeds_needed(test.mean, test.sd, design=ANYTIME, apart=True)
