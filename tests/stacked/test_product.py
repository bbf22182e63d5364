import itertools

import pytest
import torch
from layer_runs import THREADS, draw, threads

from sgdlab.stacked.layers.product import product

RUNS = 16
SIZES = [1, 2, 7, 9, 16, 33, 128]


def _matrices(n: int, m: int, transposed: bool, dtype: torch.dtype) -> torch.Tensor:
    if transposed:
        return draw(RUNS, m, n, dtype=dtype).mT
    return draw(RUNS, n, m, dtype=dtype)


@pytest.mark.slow
@pytest.mark.parametrize("transposed", list(itertools.product([False, True], repeat=2)), ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bits_do_not_depend_on_the_stack(dtype: torch.dtype, transposed) -> None:
    for (n, k, m), count in itertools.product(itertools.product(SIZES, repeat=3), THREADS):
        a, b = _matrices(n, k, transposed[0], dtype), _matrices(k, m, transposed[1], dtype)
        with threads(count):
            whole = product(a, b)
            for first in (0, 3, RUNS - 3):
                runs = slice(first, first + 3)
                some = product(_as_loaded(a[runs]), _as_loaded(b[runs]))
                assert torch.equal(whole[runs], some), (n, k, m, count, first)


def _as_loaded(x: torch.Tensor) -> torch.Tensor:
    """Return a copy at the start of memory of its own, transposed as before."""
    return x.clone() if x.is_contiguous() else x.mT.clone().mT


@pytest.mark.parametrize("sizes", list(itertools.product([1, 2, 5, 16], repeat=3)), ids=str)
def test_is_the_product_of_each_run(sizes: tuple[int, int, int]) -> None:
    n, k, m = sizes
    a, b = draw(3, n, k), draw(3, k, m)
    expected = torch.stack([x @ y for x, y in zip(a, b, strict=True)])
    torch.testing.assert_close(product(a, b), expected, rtol=1e-13, atol=1e-13)
    out = torch.full((3, n, m), torch.nan, dtype=a.dtype)
    assert product(a, b, out) is out
    torch.testing.assert_close(out, expected, rtol=1e-13, atol=1e-13)
    shared = product(a, b[:1].expand(3, -1, -1))
    assert shared.is_contiguous()
    torch.testing.assert_close(shared[2], a[2] @ b[0], rtol=1e-13, atol=1e-13)


def test_bits_of_views_do_not_depend_on_the_stack() -> None:
    n, k, m = 7, 128, 16
    a = draw(RUNS, n * k + 1, dtype=torch.float32)[:, : n * k].unflatten(1, (n, k))
    b = draw(RUNS, k * m + 3, dtype=torch.float32)[:, : k * m].unflatten(1, (k, m))
    whole = product(a, b)
    for first in range(RUNS - 1):
        runs = slice(first, first + 2)
        assert torch.equal(whole[runs], product(a[runs].clone(), b[runs].clone()))
