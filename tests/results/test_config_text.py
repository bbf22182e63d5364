import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from sgdlab.results.config_text import config_text

READ_AS_OTHER = [
    "null", "~", "yes", "No", "1e3", "0x1", "0o7", "1_0", "1.", ".5", "+1", "+.", "-", "---", "...",
    ".", "*a", "***", "-a", "a-", ".inf", ".nan", "2020-01-01",
]  # fmt: skip
words = st.from_regex(r"[A-Za-z0-9_./*+-]{1,100}", fullmatch=True) | st.sampled_from(READ_AS_OTHER)
keys = words | st.text(max_size=9) | st.integers() | st.booleans()
scalars = words | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=90)
values = st.recursive(
    scalars, lambda c: st.lists(c, max_size=4) | st.dictionaries(keys, c, max_size=4)
)


@given(st.dictionaries(words | st.text(max_size=9), values, min_size=1, max_size=5))
@example({"a": {1: 2}, "b": {"1": 2}})
@example({"study": "Größe 🙂", "lr": 1e-05, "seed": 1, "resume": True, "x": "", "n": float("nan")})
def test_the_text_is_that_of_pyyaml_byte_for_byte(content: dict):
    assert config_text(content) == yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), ({1: 0}, {"1": 0}), ("1", 1)])
def test_values_that_are_equal_in_python_keep_their_own_text(one: object, other: object):
    for value in (one, other, one):
        expected = yaml.safe_dump({"key": value}, sort_keys=False, allow_unicode=True)
        assert config_text({"key": value}) == expected
