"""What counts as a number, and how a setting out of its range is refused."""

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdlab.checks import is_number, lies_in, range_text, require_number
from sgdlab.errors import InputError


@pytest.mark.parametrize("value", [0, -3, 2.5, 1e308, sys.float_info.max, 5e-324])
def test_finite_numbers_are_numbers(value):
    assert is_number(value)


@pytest.mark.parametrize(
    "value", [True, False, None, "1", [1.0], math.nan, math.inf, -math.inf, 10**400, -(10**400)]
)
def test_everything_else_is_none(value):
    assert not is_number(value)
    with pytest.raises(InputError, match=r"must be a number from 0$"):
        require_number("key", value, 0)


@given(st.floats(0, 1), st.booleans(), st.booleans())
def test_ends_belong_to_a_range_unless_open(value, open_low, open_high):
    inside = not (value == 0 and open_low) and not (value == 1 and open_high)
    assert lies_in(value, 0, 1, open_low=open_low, open_high=open_high) == inside


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_without_a_largest_value_every_number_from_the_smallest_is_right(value):
    assert lies_in(value, -1) == (value >= -1)
    assert lies_in(value, -1, open_high=True) == (value >= -1)


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ({"low": 0}, "from 0"),
        ({"low": 0, "open_low": True}, "above 0"),
        ({"low": 0, "high": 1}, "from 0 to 1"),
        ({"low": 0.5, "high": 1, "open_low": True}, "above 0.5 to 1"),
        ({"low": 0, "high": 1, "open_high": True}, "from 0 to below 1"),
        ({"low": 0, "open_high": True}, "from 0"),
    ],
)
def test_the_refusal_says_the_range(ends, text):
    assert range_text(**ends) == text
    with pytest.raises(InputError) as refused:
        require_number("optimizer.eps", -1, **ends)
    assert str(refused.value) == f"optimizer.eps=-1: must be a number {text}"


def test_an_element_is_refused_with_its_list():
    with pytest.raises(InputError, match=r"^schedule\.milestones=\[1, -2\]: must be"):
        require_number("schedule.milestones", -2, 0, shown=[1, -2])
    with pytest.raises(InputError, match=r"^schedule\.milestones=\[\]: must be"):
        require_number("schedule.milestones", None, 0, shown=[])


def test_checks_need_no_torch():
    code = "import sys, sgdlab.checks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
