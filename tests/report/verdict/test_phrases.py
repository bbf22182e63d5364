import pytest

from sgdlab.report.verdict import phrases


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (phrases.p_equals(1e-9), "p < 0.001"),
        (phrases.p_equals(0.0312), "p = 0.031"),
        (phrases.part(0.5, "the steps"), "half the steps"),
        (phrases.part(0.63, "the steps"), "63 % of the steps"),
        (phrases.part(0.96, "the steps"), ""),
        (phrases.size(-0.004, "accuracy"), "0.40 points"),
        (phrases.size(0.01, "accuracy"), "1 point"),
        (phrases.interval(0.961, 0.9742, "accuracy"), "96.10 to 97.42 %"),
    ],
)
def test_phrases(said: str, expected: str) -> None:
    assert said == expected
