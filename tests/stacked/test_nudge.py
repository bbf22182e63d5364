"""How far apart two results may lie, against sums that are taken in other orders."""

import pytest
import torch
from torch import Tensor

from sgdlab.stacked.nudge import differs, nudged, outside, terms, unit

DTYPES = (torch.float32, torch.float64)
# Of the terms: as large as each other; of sizes over many orders; and such that they cancel.
SCALES = ("even", "spread", "cancelling")


def products(scale: str, n: int, dtype: torch.dtype, seed: int) -> tuple[Tensor, Tensor]:
    """Return factors ``[7, n]`` and ``[n, 5]`` of a matrix product."""
    generator = torch.Generator().manual_seed(seed)
    a, b = (torch.randn(*s, generator=generator, dtype=torch.float64) for s in ((7, n), (n, 5)))
    if scale == "spread":
        a *= 10 ** (12 * torch.rand(7, n, generator=generator, dtype=torch.float64) - 6)
    if scale == "cancelling":
        half = n // 2
        a[:, half : 2 * half] = -a[:, :half] * (1 + 1e-3 * b[:half, 0])
        b[half : 2 * half] = b[:half]
    return a.to(dtype), b.to(dtype)


def one_by_one(a: Tensor, b: Tensor) -> Tensor:
    """Return the product, every sum taken from its first term to its last."""
    total = a.new_zeros(len(a), b.shape[1])
    for k in range(a.shape[1]):
        total = total + a[:, k, None] * b[k]
    return total


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("n", [1, 3, 64, 1000])
def test_another_order_of_a_sum_makes_no_difference(scale: str, n: int, dtype: torch.dtype) -> None:
    size = unit(n, dtype)
    for seed in range(20):
        a, b = products(scale, n, dtype, seed)
        rows = nudged(a, size) @ nudged(b, size)
        assert not differs(one_by_one(a, b), rows, size)
        exact = a.double() @ b.double()
        assert not differs(exact.to(dtype), rows, size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("scale", ["even", "spread"])
def test_a_change_that_is_far_larger_than_rounding_does(scale: str, dtype: torch.dtype) -> None:
    size = unit(64, dtype)
    change = 1e4 * size
    for seed in range(20):
        a, b = products(scale, 64, dtype, seed)
        rows = nudged(a, size) @ nudged(b, size)
        assert differs(one_by_one(a, b * (1 + change)), rows, size)


def test_the_unit_follows_from_type_and_number_of_terms() -> None:
    assert unit(1, torch.float64) == 8 * 2.0**-53
    assert unit(100, torch.float32) == 80 * 2.0**-24
    assert terms(iter([(3, 4), (2,)]), 5) == 12
    assert terms(iter([(2,)]), 5) == 5


def test_nudged_rows_lie_to_either_side_and_integers_stay() -> None:
    x = torch.linspace(-3, 5, 1000, dtype=torch.float64)
    first, up, down = nudged(x, 1e-3)
    assert torch.equal(first, x)
    torch.testing.assert_close(up + down, 2 * x, rtol=1e-12, atol=1e-12)
    ratio = up / x - 1
    torch.testing.assert_close(ratio.abs(), torch.full_like(x, 1e-3), rtol=1e-9, atol=0)
    assert 400 < int((ratio > 0).sum()) < 600
    assert torch.equal(nudged(torch.tensor(7), 0.5), torch.tensor([7, 7, 7]))


def test_what_is_not_finite_has_to_be_so_in_both() -> None:
    bad, good = torch.tensor([1.0, torch.nan]), torch.tensor([1.0, 2.0])
    assert not differs(bad, torch.stack([bad] * 3), 1e-6)
    assert differs(bad, torch.stack([good] * 3), 1e-6)
    assert differs(good, torch.stack([bad] * 3), 1e-6)
    assert differs(good, torch.ones(3, 3), 1e-6)


def test_a_sign_that_hangs_on_rounding_may_be_either_and_others_may_not() -> None:
    before = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    gradients = torch.tensor([[1e-20, 2.0, 0.0], [1e-18, 2.0, 0.0], [-1e-18, 2.0, 0.0]])
    rows = before - 0.1 * gradients.double().sign()
    assert not outside(torch.tensor([1.1, 0.9, 0.0]).double(), rows, before, 1e-7)
    assert not outside(torch.tensor([0.9, 0.9, 0.0]).double(), rows, before, 1e-7)
    assert outside(torch.tensor([1.1, 1.1, 0.0]).double(), rows, before, 1e-7)
    assert outside(torch.tensor([1.1, 0.9, 0.1]).double(), rows, before, 1e-7)
    assert outside(torch.tensor([1.2, 0.9, 0.0]).double(), rows, before, 1e-7)
