import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from guarded import guarded, guarded_power, guarded_within
from sgdlab.analysis.statistics import (
    EQUIVALENT,
    FIRST_BETTER,
    SECOND_BETTER,
    UNDECIDED,
    Judgement,
    judge,
    seeds_needed,
)


def sample(*values: float) -> dict[float, float]:
    return {float(seed): value for seed, value in enumerate(values)}


def by_pair(judgements: list[Judgement]) -> dict[tuple[str, str], Judgement]:
    return {(j.first, j.second): j for j in judgements}


def test_every_pair_in_the_order_given() -> None:
    samples = [(name, sample(1.0, 2.0, 4.0)) for name in ("sgd", "adam", "lion")]
    pairs = [(j.first, j.second) for j in judge(samples, maximise=True)]
    assert pairs == [("sgd", "adam"), ("sgd", "lion"), ("adam", "lion")]
    assert judge(samples[:1], maximise=True) == []
    assert judge([], maximise=True) == []


def test_agrees_with_scipy_and_statsmodels() -> None:
    rng = np.random.default_rng(2)
    shared = rng.normal(0.9, 0.02, 8)
    values = {name: shared + rng.normal(gap, 0.005, 8) for name, gap in
              (("a", 0.0), ("b", 0.006), ("c", 0.001), ("d", 0.03))}  # fmt: skip
    found = judge([(name, sample(*v)) for name, v in values.items()], maximise=True, margin=0.012)
    pairs = list(combinations(values.values(), 2))
    t = [guarded(a, b).p for a, b in pairs]
    wilcoxon = [stats.wilcoxon(a, b, method="exact").pvalue for a, b in pairs]
    tost = [guarded_within(a, b, 0.012) for a, b in pairs]
    for attribute, p in (("p", t), ("p_wilcoxon", wilcoxon), ("p_equivalence", tost)):
        assert [getattr(j.test, attribute) for j in found] == pytest.approx(p, rel=1e-9)
        adjusted = multipletests(p, method="holm")[1]
        assert [getattr(j, f"{attribute}_adjusted" if attribute != "p" else "p_adjusted")
                for j in found] == pytest.approx(list(adjusted), rel=1e-9)  # fmt: skip
    assert {j.verdict for j in found} == {SECOND_BETTER, EQUIVALENT, UNDECIDED}


def test_direction_is_the_metrics() -> None:
    good, poor = sample(0.90, 0.93, 0.91, 0.95), sample(0.80, 0.82, 0.83, 0.84)
    samples = [("good", good), ("poor", poor)]
    assert judge(samples, maximise=True)[0].verdict == FIRST_BETTER
    assert judge(samples[::-1], maximise=True)[0].verdict == SECOND_BETTER
    # The same numbers as losses.
    assert judge(samples, maximise=False)[0].verdict == SECOND_BETTER


def test_more_pairs_ask_for_more() -> None:
    a, b = sample(1.0, 2.0, 3.0, 4.0, 5.0), sample(0.5, 1.8, 2.1, 3.7, 4.6)
    alone = judge([("a", a), ("b", b)], maximise=True)[0]
    assert alone.verdict == FIRST_BETTER
    assert alone.test.p == alone.p_adjusted
    others = [(name, sample(*np.random.default_rng(i).normal(3, 2, 5))) for i, name in
              enumerate("cdef")]  # fmt: skip
    crowd = by_pair(judge([("a", a), ("b", b), *others], maximise=True))["a", "b"]
    assert crowd.test == alone.test
    assert crowd.p_adjusted > alone.p_adjusted
    assert crowd.verdict == UNDECIDED
    assert crowd.seeds_needed == seeds_needed(alone.test.mean, alone.test.sd, 0.05 / 15)
    assert crowd.seeds_needed > alone.seeds_needed


def test_better_by_less_than_the_margin_is_better_and_said() -> None:
    a, b = sample(1.00, 2.01, 3.00, 4.01, 5.00), sample(0.98, 1.98, 2.98, 3.98, 4.99)
    found = judge([("a", a), ("b", b)], maximise=True, margin=0.5)[0]
    assert found.verdict == FIRST_BETTER
    assert found.p_equivalence_adjusted < 0.05
    assert found.note == "the difference is smaller than the margin"
    assert judge([("a", a), ("b", b)], maximise=True, margin=0.021)[0].note == ""


def test_equivalent_needs_both_no_winner_and_a_margin() -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(0.9, 0.01, 10)
    samples = [("a", sample(*a)), ("b", sample(*(a + rng.normal(0, 0.002, 10))))]
    assert judge(samples, maximise=True, margin=0.01)[0].verdict == EQUIVALENT
    assert judge(samples, maximise=True, margin=0.0005)[0].verdict == UNDECIDED
    assert judge(samples, maximise=True)[0].verdict == UNDECIDED


def test_units_without_a_partner_are_left_out_and_counted() -> None:
    whole = {1.0: 0.9, 2.0: 0.8, 3.0: 0.95, 4.0: 0.7}
    torn = {2.0: 0.7, 3.0: 0.9, 4.0: math.inf, 9.0: 0.1}
    found = judge([("sgd", whole), ("adam", torn)], maximise=True, unit="replicate")[0]
    assert found.test.n == 2
    assert found.test.mean == pytest.approx((0.1 + 0.05) / 2)
    assert found.note == (
        "left out for want of a partner: 2 replicates of sgd and 1 replicate of adam"
    )
    one_sided = judge([("sgd", whole), ("adam", {2.0: 0.7, 3.0: 0.9, 4.0: 0.6})], maximise=True)[0]
    assert one_sided.note == "left out for want of a partner: 1 seed of sgd"


@pytest.mark.parametrize(
    ("first", "second", "n", "note"),
    [
        ({}, {}, 0, "no seed was completed by both"),
        ({1.0: math.nan}, {1.0: math.inf}, 0, "no seed was completed by both"),
        ({1.0: 0.5}, {}, 0, "no seed was completed by both; left out for want of a partner: "
                            "1 seed of a"),
        ({1.0: 0.5}, {1.0: 0.4}, 1, "one pair: the spread cannot be estimated"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_undecided_and_says_why(
    first: dict[float, float], second: dict[float, float], n: int, note: str
) -> None:
    found = judge([("a", first), ("b", second)], maximise=True, margin=1.0)[0]
    assert (found.test.n, found.verdict, found.note) == (n, UNDECIDED, note)


def test_seeds_needed_of_pairs_without_a_spread() -> None:
    level = judge([("a", sample(1, 2, 3)), ("b", sample(1, 2, 3))], maximise=True)[0]
    assert math.isnan(level.seeds_needed)
    assert level.verdict == EQUIVALENT
    apart = judge([("a", sample(1, 2, 3)), ("b", sample(2, 3, 4))], maximise=True)[0]
    assert apart.verdict == SECOND_BETTER
    assert apart.seeds_needed == 4
    assert guarded_power(math.sqrt(12), 4, 0.05) >= 0.8 > guarded_power(math.sqrt(12), 3, 0.05)


def test_two_seeds_can_decide_but_only_of_a_gap_far_beyond_the_noise() -> None:
    far = [("a", sample(0.9, 0.91)), ("b", sample(0.5, 0.5102))]
    assert judge(far, maximise=True)[0].verdict == FIRST_BETTER
    near = [("a", sample(0.9, 0.91)), ("b", sample(0.85, 0.88))]
    found = judge(near, maximise=True)[0]
    assert found.verdict == UNDECIDED
    assert found.test.p == pytest.approx(guarded([0.9, 0.91], [0.85, 0.88]).p)


def test_a_pair_without_a_test_counts_in_the_family() -> None:
    a, b = sample(1.0, 2.0, 3.0, 4.0), sample(0.5, 1.8, 2.1, 3.7)
    found = by_pair(judge([("a", a), ("b", b), ("dead", {})], maximise=True))
    assert found["a", "b"].p_adjusted == pytest.approx(3 * found["a", "b"].test.p)
    assert math.isnan(found["a", "dead"].p_adjusted)
