import math

import pytest

from sgdlab.analysis.budget import expected_best


@pytest.mark.parametrize("k", [1, 2, 7, 59, 60])
def test_it_is_the_mean_over_all_subsets(k: int) -> None:
    values = [math.sin(i) for i in range(60)]
    subsets = math.comb(60, k)
    exact = math.fsum(
        value * (math.comb(59 - i, k - 1) / subsets) for i, value in enumerate(sorted(values))
    )
    assert expected_best(values, k) == pytest.approx(exact, rel=1e-13)


def test_a_search_of_thousands_is_as_exact() -> None:
    # The expected smallest of k of the numbers 1 … n is (n + 1) / (k + 1).
    values = [float(i) for i in range(1, 20_001)]
    for k in (1, 100, 19_999):
        assert expected_best(values, k) == pytest.approx(20_001 / (k + 1), rel=1e-10)
    assert expected_best([*values, math.inf], 1) == math.inf  # only alone is it the best of any
    assert math.isfinite(expected_best([*values, math.inf], 2))
