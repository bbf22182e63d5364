import math

import pytest

from sgdlab.analysis import words


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (words.number(1234.0), "1,234"),
        (words.number(0.03), "0.03"),
        (words.number(-2.5), "−2.5"),
        (words.number(1.2e-7), "1.2e-7"),
        (words.number(None), "–"),
        (words.metric(0.97312, "accuracy"), "97.31 %"),
        (words.metric(54.3219, "rmse"), "54.32"),
        (words.metric(math.nan, "accuracy"), "–"),
        (words.difference(0.0012, "accuracy"), "+0.12 points"),
        (words.difference(-0.00001, "accuracy"), "0.00 points"),
        (words.difference(-0.02, "accuracy", unit=False), "−2.00"),
        (words.difference(1.5, "rmse"), "+1.5"),
        (words.p_value(0.04996), "0.04996"),
        (words.p_value(0.0312), "0.031"),
        (words.memory(999), "999 B"),
        (words.memory(38_480), "38.5 kB"),
        (words.memory(312e6), "312 MB"),
        (words.memory(5e12), "5,000 GB"),
        (words.setting(0.000123456), "0.0001235"),
        (words.setting(True), "true"),
        (words.setting(None), "null"),
        (words.count(1, "seed"), "1 seed"),
        (words.count(2000, "seed"), "2,000 seeds"),
        (words.listing(["a", "b", "c"]), "a, b and c"),
        (words.listing([]), ""),
    ],
)
def test_words(said: str, expected: str) -> None:
    assert said == expected
