"""What counts as a number, and how a setting out of its range is refused."""

import json
import math
import subprocess
import sys
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdlab.checks import (
    is_number,
    is_whole,
    lies_in,
    pip_install,
    range_text,
    require_flag,
    require_number,
    require_numbers,
    require_one_of,
    require_whole,
)
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


def test_without_a_smallest_value_any_finite_number_is_right():
    assert require_number("dataset.start", -3, -math.inf) == -3.0
    with pytest.raises(InputError, match=r"^dataset\.start=inf: must be a finite number$"):
        require_number("dataset.start", math.inf, -math.inf)


@pytest.mark.parametrize(
    ("value", "low", "right"), [(1, 1, True), (0, 1, False), (True, 1, False), (2.0, 1, False)]
)
def test_whole_numbers_are_integers_from_the_smallest(value, low, right):
    assert is_whole(value, low) == right


def test_a_whole_number_may_be_written_as_a_float_where_that_will_do():
    assert require_whole("schedule.warmup_steps", 1e3, 0, as_float=True) == 1000
    for value in (1.5, -1.0, math.nan, "2"):
        with pytest.raises(InputError, match=r"=.*: must be a whole number from 0$"):
            require_whole("schedule.warmup_steps", value, 0, as_float=True)
    with pytest.raises(InputError, match=r"every=2\.0: must be a whole number of epochs from 1$"):
        require_whole("average.every", 2.0, of="of epochs")


def test_lists_have_as_many_numbers_as_are_wanted_each_in_its_range():
    assert require_numbers("optimizer.betas", (0.9, 0), 2, below=1) == [0.9, 0.0]
    for values in ([0.9], [0.9, 1.0], 0.9, "ab"):
        with pytest.raises(InputError, match=r": must be 2 numbers from 0 to below 1$"):
            require_numbers("optimizer.betas", values, 2, below=1)
    with pytest.raises(InputError, match=r"=\[\]: must be a list of at least one number$"):
        require_numbers("dataset.eigenvalues", [], None, -math.inf)


def test_flags_are_true_or_false_and_names_are_known():
    require_flag("optimizer.nesterov", False)
    with pytest.raises(InputError, match=r"^optimizer\.nesterov=0: must be true or false$"):
        require_flag("optimizer.nesterov", 0)
    shapes = ("linear", "sqrt", "cosine", "constant")
    assert require_one_of("schedule.shape", "sqrt", shapes) == "sqrt"
    for value in ("cosinus", None):
        with pytest.raises(InputError, match=rf"^schedule\.shape={value}: (did you|valid)"):
            require_one_of("schedule.shape", value, shapes)


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (None, "pip install '.[ray]' in the clone of sgdlab"),
        ({"url": "https://x/y.whl", "archive_info": {}}, "pip install '.[ray]' in the clone"),
        ({"url": "file:///a/b%20c", "dir_info": {}}, "pip install '/a/b c[ray]'"),
        (
            {"url": "file:///a", "dir_info": {"editable": True}},
            "pip install --editable '/a[ray]'",
        ),
    ],
)
def test_an_extra_is_installed_from_where_sgdlab_came_from(origin, command, monkeypatch, tmp_path):
    about = tmp_path / "direct_url.json"
    about.write_text(json.dumps(origin))
    found = SimpleNamespace(files=[] if origin is None else [about])
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: found)
    assert pip_install("ray").startswith(command)


def test_checks_need_no_torch():
    code = "import sys, sgdlab.checks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
