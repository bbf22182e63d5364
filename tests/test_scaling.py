import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdlab.errors import InputError
from sgdlab.scaling import Linear, Scaling, SquareRoot, Unscaled

RULES = [Unscaled, Linear, SquareRoot]
rates = st.floats(1e-6, 10)
sizes = st.integers(1, 100_000)


def test_published_examples() -> None:
    # Goyal et al. 2017: 0.1 at 256 becomes 3.2 at 8192.
    assert Linear(256)(0.1, 8192) == pytest.approx(3.2)
    assert SquareRoot(256)(0.1, 8192) == pytest.approx(0.1 * math.sqrt(32))
    assert Unscaled(256)(0.1, 8192) == 0.1
    assert Linear(64)(0.1, 16) == pytest.approx(0.025)


@pytest.mark.parametrize("rule", RULES)
@given(lr=rates, size=sizes)
def test_at_the_base_batch_lr_is_unchanged(rule: type[Scaling], lr: float, size: int) -> None:
    assert rule(size)(lr, size) == lr


@given(lr=rates, base=sizes, batch=sizes)
def test_two_square_root_rules_make_a_linear_one(lr: float, base: int, batch: int) -> None:
    root = SquareRoot(base)
    assert root(root(lr, batch), batch) == pytest.approx(Linear(base)(lr, batch))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("size", [0, -1, 2.5, "abc", True, None])
def test_impossible_base_batches_are_refused(rule: type[Scaling], size: Any) -> None:
    with pytest.raises(InputError, match=r"scaling.base_batch_size=.*whole number from 1"):
        rule(size)
