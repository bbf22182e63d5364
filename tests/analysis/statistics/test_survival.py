import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from sgdlab.analysis.statistics import (
    FIRST_BETTER,
    SECOND_BETTER,
    UNDECIDED,
    LogRank,
    censored_median,
    judge_times,
    kaplan_meier_median,
    log_rank,
)
from sgdlab.analysis.statistics.relabelled import DRAWS, relabelled_sums

RUNS = st.lists(st.tuples(st.integers(1, 9).map(float), st.booleans()), min_size=1, max_size=14)


def columns(runs: list[tuple[float, bool]]) -> tuple[list[float], list[bool]]:
    return [time for time, _ in runs], [reached for _, reached in runs]


@given(RUNS.filter(lambda runs: any(reached for _, reached in runs)))
def test_median_agrees_with_statsmodels(runs: list[tuple[float, bool]]) -> None:
    times, reached = columns(runs)
    found = kaplan_meier_median(times, reached)
    curve = SurvfuncRight(times, [int(r) for r in reached])
    half = curve.surv_times[np.abs(curve.surv_prob - 0.5) < 1e-9]
    below = curve.surv_times[curve.surv_prob < 0.5 - 1e-9]
    if not len(below):
        assert found == math.inf
    elif len(half):
        # Here statsmodels takes one end or the other, as rounding has it.
        assert found == (half[0] + below[0]) / 2
    else:
        assert found == below[0] == curve.quantile(0.5)


@given(st.lists(st.integers(1, 30), min_size=1, max_size=20))
def test_median_of_runs_that_all_arrive_is_the_ordinary_one(times: list[int]) -> None:
    found = kaplan_meier_median([float(t) for t in times], [True] * len(times))
    assert found == np.median(times)


@given(st.lists(st.one_of(st.integers(1, 9).map(float), st.just(math.inf)), min_size=1))
def test_median_of_runs_that_end_together_is_the_censored_one(times: list[float]) -> None:
    reached = [math.isfinite(t) for t in times]
    ended = [min(t, 10.0) for t in times]
    assert kaplan_meier_median(ended, reached) == censored_median(times)
    assert kaplan_meier_median(times, reached) == censored_median(times)


def test_median_by_hand() -> None:
    # S: 4/5 at 1, censored at 2, then 4/5 * 2/3 = 8/15 at 3, 4/15 at 5.
    times, reached = [1, 2, 3, 5, 8], [True, False, True, True, False]
    assert kaplan_meier_median(times, reached) == 5
    # A run without a time does not count; (5/6)(4/5)(3/4) is one half up to rounding only.
    assert kaplan_meier_median([1, 2, 3, 4, 5, 6, math.nan], [True] * 7) == 3.5
    assert kaplan_meier_median([3, 3], [False, False]) == math.inf
    assert math.isnan(kaplan_meier_median([], []))


@given(RUNS, RUNS)
def test_statistic_agrees_with_scipy_and_statsmodels(
    a: list[tuple[float, bool]], b: list[tuple[float, bool]]
) -> None:
    found = log_rank(*columns(a), *columns(b))
    if math.isnan(found.statistic):
        return
    times, reached = columns(a + b)
    chi2, p = survdiff(times, [int(r) for r in reached], [0] * len(a) + [1] * len(b))
    assert found.statistic**2 == pytest.approx(chi2, rel=1e-6, abs=1e-9)
    assert found.p_asymptotic == pytest.approx(p, rel=1e-6)


@given(RUNS.filter(lambda runs: len(runs) < 6), RUNS.filter(lambda runs: len(runs) < 6))
def test_p_is_the_share_of_relabellings_as_extreme(
    a: list[tuple[float, bool]], b: list[tuple[float, bool]]
) -> None:
    found = log_rank(*columns(a), *columns(b))
    runs = a + b
    if math.isnan(found.statistic):
        assert math.isnan(found.p) or found.p == 1
        assert found.note
        return

    def excess(chosen: tuple[int, ...]) -> float:
        total = 0.0
        for time in {t for t, arrived in runs if arrived}:
            at_risk = [i for i, (t, _) in enumerate(runs) if t >= time]
            arrived = [i for i, run in enumerate(runs) if run == (time, True)]
            share = len(set(at_risk) & set(chosen)) / len(at_risk)
            total += len(set(arrived) & set(chosen)) - len(arrived) * share
        return abs(total)

    seen = excess(tuple(range(len(a))))
    ways = [excess(chosen) for chosen in combinations(range(len(runs)), len(a))]
    assert found.p == pytest.approx(np.mean([way >= seen - 1e-9 for way in ways]))


def test_sooner_is_a_positive_statistic_and_a_smaller_p_needs_more_runs() -> None:
    fast, slow = [1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0]
    found = log_rank(fast, [True] * 5, slow, [True] * 5)
    assert found.statistic > 0
    assert found.p == pytest.approx(2 / math.comb(10, 5))
    assert found.p_asymptotic < found.p
    assert log_rank(slow, [True] * 5, fast, [True] * 5).statistic == -found.statistic
    three = log_rank(fast[:3], [True] * 3, slow[:3], [True] * 3)
    assert three.p == pytest.approx(0.1)
    assert three.note == "with 3 and 3 runs p cannot be below 0.1"


def test_never_reached_may_be_given_as_inf_or_as_the_end_of_the_run() -> None:
    a, b = [3.0, 4.0, math.inf, 5.0], [7.0, math.inf, math.inf, math.inf]
    reached = [[math.isfinite(t) for t in times] for times in (a, b)]
    ended = [[min(t, 12.0) for t in times] for times in (a, b)]
    found = log_rank(a, reached[0], b, reached[1])
    assert found == log_rank(ended[0], reached[0], ended[1], reached[1])
    known = stats.logrank(
        stats.CensoredData.right_censored(ended[0], [False, False, True, False]),
        stats.CensoredData.right_censored(ended[1], [False, True, True, True]),
    )
    assert found.statistic == pytest.approx(known.statistic)


@pytest.mark.parametrize(
    ("a", "b", "p", "note"),
    [
        ([], [(1.0, True)], math.nan, "there are no times to compare"),
        ([(math.nan, True)], [(1.0, True)], math.nan, "there are no times to compare"),
        ([(9.0, False)], [(math.inf, False)], math.nan, "no run reached the target"),
        ([(5.0, True)] * 3, [(5.0, True)] * 3, 1.0,
         "at no time were runs of both on their way of which only some arrived"),
        ([(5.0, True), (6.0, True)], [(3.0, False)], 1.0,
         "at no time were runs of both on their way of which only some arrived"),
    ],
)  # fmt: skip
def test_log_rank_says_why_there_is_no_test(
    a: list[tuple[float, bool]], b: list[tuple[float, bool]], p: float, note: str
) -> None:
    found = log_rank(*columns(a), *columns(b))
    assert found.p == pytest.approx(p, nan_ok=True)
    assert found.note == note
    assert math.isnan(found.statistic)


def test_many_runs_are_relabelled_at_random_and_the_same_each_time() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.gamma(4, 1.0, 20), rng.gamma(4, 1.3, 25)
    found = log_rank(list(a), [True] * 20, list(b), [True] * 25)
    assert found == log_rank(list(a), [True] * 20, list(b), [True] * 25)
    assert found.p == pytest.approx(found.p_asymptotic, rel=0.15)
    far = log_rank(list(a), [True] * 20, list(b + 100), [True] * 25)
    assert far.p == 1 / (1 + DRAWS)
    scores = rng.normal(size=45)
    sums = relabelled_sums(scores, 20)
    assert len(sums) == 1 + DRAWS
    assert sums[0] == pytest.approx(scores[:20].sum())
    assert sums.std() == pytest.approx(scores.std() * math.sqrt(20 * 25 / 44), rel=0.02)


def test_judged_are_all_pairs_by_holm() -> None:
    rng = np.random.default_rng(1)
    runs = {name: [(float(t), True) for t in rng.gamma(9, scale, 8)]
            for name, scale in (("fast", 1), ("slow", 3), ("slower", 3.2))}  # fmt: skip
    runs["lost"] = [(99.0, False)] * 8
    found = {(j.first, j.second): j for j in judge_times(list(runs.items()))}
    assert len(found) == 6
    assert found["fast", "slow"].verdict == FIRST_BETTER
    assert found["slow", "slower"].verdict == UNDECIDED
    assert found["slow", "lost"].verdict == FIRST_BETTER
    back = judge_times([("lost", runs["lost"]), ("slow", runs["slow"])])[0]
    assert back.verdict == SECOND_BETTER
    pair = found["fast", "slow"]
    known = log_rank(*columns(runs["fast"]), *columns(runs["slow"]))
    assert pair.test.p == known.p
    assert pair.p_adjusted > pair.test.p
    medians = [np.median([t for t, _ in runs[name]]) for name in ("fast", "slow")]
    assert pair.test.mean == pytest.approx(medians[0] - medians[1])
    assert pair.test.n == 8
    assert math.isnan(found["slow", "lost"].test.mean)
    assert math.isnan(pair.seeds_needed)


def test_judged_runs_without_a_time_are_left_out_and_counted() -> None:
    a = [(3.0, True), (math.nan, True), (4.0, True)]
    found = judge_times([("a", a), ("b", [(9.0, False)] * 3)])[0]
    assert found.test.n == 2
    assert found.note == (
        "with 2 and 3 runs p cannot be below 0.1; left out for want of a time: 1 run of a"
    )
    nothing = judge_times([("a", []), ("b", [])])[0]
    assert (nothing.verdict, nothing.note) == (UNDECIDED, "there are no times to compare")
    assert LogRank().p != LogRank().p
