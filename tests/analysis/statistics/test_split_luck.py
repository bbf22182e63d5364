"""Splits of the same data overlap: the corrected variance, and what it covers."""

import math

import numpy as np
import pytest
from scipy import stats

from sgdlab.analysis.statistics import describe, guard, judge, paired_t, speed_up
from sgdlab.analysis.statistics.levels import NAN

FIRST, SECOND = [0.91, 0.87, 0.90, 0.93, 0.88], [0.88, 0.86, 0.91, 0.90, 0.84]


def test_the_squared_error_is_that_of_nadeau_and_bengio() -> None:
    d, overlap = np.subtract(FIRST, SECOND), 0.2 / 0.6
    found = paired_t(FIRST, SECOND, 0.05, overlap=overlap)
    error = math.sqrt((1 / 5 + overlap) * d.var(ddof=1))
    t = stats.t(4)
    assert found.error == pytest.approx(error)
    error *= guard(5)  # as for pairs without overlap
    assert found.p == pytest.approx(2 * t.sf(abs(d.mean()) / error))
    assert found.ci_high == pytest.approx(d.mean() + t.ppf(0.975) * error)
    assert found.p_equivalence == pytest.approx(t.cdf((abs(d.mean()) - 0.05) / error))
    assert math.isnan(found.p_wilcoxon)
    one = describe(FIRST, overlap=overlap)
    assert one.ci_high - one.mean == pytest.approx(
        t.ppf(0.975) * math.sqrt((1 / 5 + overlap) * np.var(FIRST, ddof=1))
    )
    assert math.isnan(one.bca_low)


def test_without_overlap_nothing_changes() -> None:
    assert paired_t(FIRST, SECOND, overlap=0.0) == paired_t(FIRST, SECOND)
    assert describe(FIRST, overlap=0.0) == describe(FIRST)


def test_a_verdict_and_a_speed_up_contain_it() -> None:
    samples = [
        (name, dict(enumerate(values)))
        for name, values in (("a", [v + 0.03 for v in FIRST]), ("b", SECOND))
    ]
    plain = judge(samples, maximise=True)[0]
    wide = judge(samples, maximise=True, overlap=0.8)[0]
    assert plain.verdict == "first better"
    assert wide.verdict == "undecided"
    assert math.isnan(wide.seeds_needed)  # more splits of the same data do not end at 0
    times, theirs = [100.0, 110.0, 95.0], [70.0, 80.0, 72.0]
    narrow = speed_up(times, theirs, [True] * 3)
    wider = speed_up(times, theirs, [True] * 3, overlap=0.25)
    assert wider.ratio == narrow.ratio
    log = math.log(narrow.high / narrow.ratio) * math.sqrt(1 + 3 * 0.25)
    assert math.log(wider.high / wider.ratio) == pytest.approx(log)
    assert NAN != narrow.p < wider.p


FEATURES = 8


def drawn(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw examples: all features count, those of the one learner a little more."""
    x = rng.normal(size=(n, FEATURES))
    score = x[:, :4].sum(axis=1) + 0.9 * x[:, 4:].sum(axis=1) + 1.5 * rng.normal(size=n)
    return x, np.where(score > 0, 1.0, -1.0)


def accuracy_gap(x: np.ndarray, y: np.ndarray, train: np.ndarray, test: tuple) -> float:
    """Return by how much least squares on the first features is better than on the others."""
    found = []
    for columns in (slice(0, 4), slice(4, 8)):
        own, mean = x[train][:, columns], y[train].mean()
        centre = own.mean(axis=0)
        gram = (own - centre).T @ (own - centre) + np.eye(4)
        w = np.linalg.solve(gram, (own - centre).T @ (y[train] - mean))
        scores = (test[0][:, columns] - centre) @ w + mean
        found.append(float(np.mean(np.sign(scores) == test[1])))
    return found[0] - found[1]


@pytest.mark.slow
@pytest.mark.parametrize(("splits", "plain"), [(5, 0.93), (10, 0.87), (30, 0.66)])
def test_intervals_over_splits_of_one_sample_cover_the_truth(splits: int, plain: float) -> None:
    """The truth is that of training on as many fresh examples, over 50,000 others."""
    rng, n, trained, held = np.random.default_rng(splits), 300, 180, 60
    others = drawn(rng, 50_000)
    fresh = (drawn(rng, trained) for _ in range(200))
    truth = float(np.mean([accuracy_gap(x, y, np.arange(trained), others) for x, y in fresh]))
    covered = {0.0: 0, held / trained: 0}
    studies = 500
    for _ in range(studies):
        x, y = drawn(rng, n)
        gaps = []
        for _ in range(splits):
            order = rng.permutation(n)
            test = order[trained : trained + held]
            gaps.append(accuracy_gap(x, y, order[:trained], (x[test], y[test])))
        for overlap in covered:
            found = paired_t(gaps, [0.0] * splits, overlap=overlap)
            covered[overlap] += found.ci_low < truth < found.ci_high
    naive, corrected = (count / studies for count in covered.values())
    assert naive < plain
    assert 0.92 < corrected <= 1
