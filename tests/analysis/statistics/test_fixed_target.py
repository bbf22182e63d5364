import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from sgdlab.analysis.statistics import HOLDS, REFUTED, UNDECIDED, expected_maximum, target_claims

RNG = np.random.default_rng(5)
SAMPLES = [
    ("a", dict(enumerate(RNG.normal(3.277, 0.0013, 8)))),
    ("b", dict(enumerate(RNG.normal(3.2797, 0.0013, 5)))),
    ("c", dict(enumerate(RNG.normal(3.284, 0.0013, 6)))),
]
VALUES = [np.array(list(by_unit.values())) for _, by_unit in SAMPLES]


def test_with_a_known_sigma_it_is_the_z_test_of_speed_runs() -> None:
    found = target_claims(SAMPLES, 3.28, maximise=False, sigma=0.0013)
    z = [(3.28 - v.mean()) * math.sqrt(len(v)) / 0.0013 for v in VALUES]
    assert [claim.statistic for claim in found] == pytest.approx(z)
    p = stats.norm.sf(z)
    assert [claim.p for claim in found] == pytest.approx(p)
    holm = multipletests(p, method="holm")[1]
    assert [claim.p_adjusted for claim in found] == pytest.approx(holm)
    assert [claim.verdict for claim in found] == [HOLDS, UNDECIDED, REFUTED]


def test_with_an_estimated_sigma_it_is_the_t_test() -> None:
    found = target_claims(SAMPLES, 3.28, maximise=False)
    known = [stats.ttest_1samp(v, 3.28, alternative="less") for v in VALUES]
    assert [claim.p for claim in found] == pytest.approx([test.pvalue for test in known])
    assert [claim.statistic for claim in found] == pytest.approx([-t.statistic for t in known])


def test_more_is_better_where_it_is_said() -> None:
    mirrored = [(name, {u: -v for u, v in by_unit.items()}) for name, by_unit in SAMPLES]
    found = target_claims(mirrored, -3.28, maximise=True)
    known = target_claims(SAMPLES, 3.28, maximise=False)
    assert [claim.p for claim in found] == pytest.approx([claim.p for claim in known])
    assert [claim.best for claim in found] == [-claim.best for claim in known]


def test_one_run_is_no_proof_unless_sigma_is_known() -> None:
    (found,) = target_claims([("lucky", {0: 3.27})], 3.28, maximise=False)
    assert (found.verdict, found.best) == (UNDECIDED, 3.27)
    assert "--sigma" in found.note
    (found,) = target_claims([("lucky", {0: 3.27})], 3.28, maximise=False, sigma=0.0013)
    assert found.verdict == HOLDS
    (found,) = target_claims([("equal", {0: 3.27, 1: 3.27})], 3.28, maximise=False)
    assert "equal runs" in found.note
    (found,) = target_claims([("none", {})], 3.28, maximise=False)
    assert (found.n, found.verdict) == (0, UNDECIDED)


def test_attempts_make_a_claim_harder_and_say_what_luck_gives() -> None:
    one = target_claims(SAMPLES, 3.28, maximise=False, sigma=0.0013)[1]
    many = target_claims(SAMPLES, 3.28, maximise=False, sigma=0.0013, attempts=20)[1]
    assert many.p_adjusted == pytest.approx(1 - (1 - one.p_adjusted) ** 20)
    assert many.by_chance == pytest.approx(expected_maximum(20) * 0.0013 / math.sqrt(5))
    assert math.isnan(one.by_chance)


def test_the_best_of_attempts_that_just_reach_the_target_is_as_far_ahead_as_is_said() -> None:
    rng = np.random.default_rng(2)
    means = rng.normal(3.28, 0.0013, (4000, 20, 5)).mean(axis=2)
    seen = (3.28 - means.min(axis=1)).mean()
    sample = [("x", dict(enumerate([3.28] * 5)))]
    (claim,) = target_claims(sample, 3.28, maximise=False, sigma=0.0013, attempts=20)
    assert claim.by_chance == pytest.approx(seen, rel=0.02)


def test_sigma_is_a_positive_number() -> None:
    with pytest.raises(ValueError, match="sigma=0"):
        target_claims(SAMPLES, 3.28, maximise=False, sigma=0)


@pytest.mark.parametrize("sigma", [None, 0.0013])
def test_overlapping_splits_widen_the_error(sigma: float | None) -> None:
    """Nadeau and Bengio: (1 / n + n_test / n_train) s² instead of s² / n."""
    found = target_claims(SAMPLES, 3.28, maximise=False, sigma=sigma, attempts=20, overlap=0.25)
    for claim, v in zip(found, VALUES, strict=True):
        spread = v.std(ddof=1) if sigma is None else sigma
        error = math.sqrt(1 / len(v) + 0.25) * spread
        statistic = (3.28 - v.mean()) / error
        assert claim.statistic == pytest.approx(statistic)
        law = stats.t(len(v) - 1) if sigma is None else stats.norm
        assert claim.p == pytest.approx(law.sf(statistic))
        assert claim.by_chance == pytest.approx(expected_maximum(20) * error)
