import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdlab.errors import InputError
from sgdlab.scaling import Gentle, Linear, Scaling, SquareRoot, Unscaled, checked_candidates

RULES = [Unscaled, Linear, SquareRoot, Gentle]
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


@given(lr=rates, base=sizes, factor=st.floats(1.5, 2))
def test_the_gentle_rule_multiplies_by_its_factor_per_doubling(lr: float, base: int, factor: float):
    rule = Gentle(base, factor=factor)
    assert rule(lr, 2 * base) == pytest.approx(factor * lr)
    assert rule(lr, 8 * base) == pytest.approx(factor**3 * lr)
    halved = Gentle(2 * base, factor=factor)(lr, base)
    assert halved == pytest.approx(lr / factor)
    assert lr / 2 * (1 - 1e-12) <= halved <= lr * 2 / 3 * (1 + 1e-12)


@given(lr=rates, base=sizes, batch=sizes)
def test_the_gentle_rule_ends_at_the_linear_one(lr: float, base: int, batch: int) -> None:
    assert Gentle(base, factor=2.0)(lr, batch) == pytest.approx(Linear(base)(lr, batch))


def test_the_default_of_the_gentle_rule() -> None:
    # Two doublings: 1.7 squared.
    assert Gentle()(0.1, 256) == pytest.approx(0.289)


@pytest.mark.parametrize("factor", [1.49, math.sqrt(2), 2.01, -1.7, math.nan, math.inf, True, "a"])
def test_factors_outside_the_practice_are_refused(factor: Any) -> None:
    with pytest.raises(InputError, match=r"scaling.factor=.*number from 1.5 to 2"):
        Gentle(factor=factor)


@pytest.mark.parametrize("rule", RULES)
@given(lr=rates, batch=sizes, candidate=st.floats(0.01, 100))
def test_a_candidate_is_a_factor_on_the_rule(
    rule: type[Scaling], lr: float, batch: int, candidate: float
) -> None:
    tried = rule(64, candidates=[0.5, 1, 2], candidate=candidate)
    assert tried(lr, batch) == pytest.approx(candidate * rule(64)(lr, batch))
    assert rule(64, candidates=[0.5, 1, 2])(lr, batch) == rule(64)(lr, batch)


@pytest.mark.parametrize("candidate", [0, -1.0, math.nan, math.inf, True, "a", None, [1.0]])
def test_candidates_are_positive_numbers(candidate: Any) -> None:
    with pytest.raises(InputError, match=r"scaling.candidate=.*: must be a number above 0"):
        Linear(candidate=candidate)
    with pytest.raises(InputError, match=r"scaling.candidates=\[0.5,.*\]: must be a list of"):
        Linear(candidates=[0.5, candidate])


def test_candidates_are_a_list_without_repetition_in_any_order() -> None:
    assert checked_candidates([2, 0.5, 1]) == [2.0, 0.5, 1.0]
    for twice in ([1, 1.0], [0.5, 1, 0.5]):
        with pytest.raises(InputError, match="names a factor twice"):
            Linear(candidates=twice)
    for other in (2, "12", {1: 2}):
        with pytest.raises(InputError, match=r"must be a list of positive numbers"):
            Linear(candidates=other)  # type: ignore[arg-type]
