"""Numbers as people read them."""

import math

import pytest

from sgdlab.terminal.numbers import number


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (math.nan, "nan"),
        (-0.0, "0"),
        (0.0123456, "0.01235"),
        (1.2e-7, "1.2e-7"),
        (3.5e10 + 0.5, "3.5e+10"),
        (256, "256"),
        (1240.4, "1,240"),
        (123456.7, "123,457"),
        (-2500, "-2,500"),
        (True, "True"),
        ("adamw", "adamw"),
    ],
)
def test_a_number_is_shown_with_the_digits_that_people_read(value, shown):
    assert number(value) == shown
