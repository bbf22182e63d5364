import numpy as np
import pytest
import torch

from sgdlab.diagnostics.lanczos import largest


def symmetric(eigenvalues: list[float], seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    size = len(eigenvalues)
    q, _ = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64))
    return q @ torch.diag(torch.tensor(eigenvalues, dtype=torch.float64)) @ q.T


def start(size: int) -> torch.Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("seed", range(5))
def test_after_as_many_products_as_dimensions_the_value_is_numpys(seed):
    eigenvalues = np.random.default_rng(seed).normal(size=12).tolist()
    h = symmetric(eigenvalues, seed)
    found = largest(lambda v: h @ v, start(12), iterations=12, tolerance=0.0)
    assert found is not None
    assert found.value == pytest.approx(max(eigenvalues), rel=1e-12)
    np.testing.assert_allclose(h @ found.vector, found.value * found.vector, atol=1e-10)
    assert float(found.vector.norm()) == pytest.approx(1, abs=1e-12)


def test_a_larger_negative_eigenvalue_does_not_win_as_it_does_in_power_iteration():
    h = symmetric([3.0, 1.0, 0.5, 0.1, 0.0, -0.5, -10.0])
    v = start(7)
    for _ in range(200):
        v = h @ v / (h @ v).norm()
    assert float(v @ h @ v) == pytest.approx(-10)
    found = largest(lambda v: h @ v, start(7), iterations=7, tolerance=1e-9)
    assert found is not None
    assert found.value == pytest.approx(3)


def test_of_a_negative_definite_matrix_the_largest_is_the_one_nearest_to_zero():
    h = symmetric([-1.0, -2.0, -3.0, -50.0])
    found = largest(lambda v: h @ v, start(4), iterations=4, tolerance=0.0)
    assert found is not None
    assert found.value == pytest.approx(-1)


def test_stops_early_once_the_residual_is_small_and_an_eigenvalue_lies_within_it():
    eigenvalues = [10.0, *np.linspace(0, 1, 99).tolist()]
    h = symmetric(eigenvalues)
    made = []

    def product(v: torch.Tensor) -> torch.Tensor:
        made.append(v)
        return h @ v

    found = largest(product, start(100), iterations=50, tolerance=0.01)
    assert found is not None
    assert len(made) < 8
    assert found.residual <= 0.01 * found.value
    assert found.value <= 10 + 1e-9
    assert 10 - found.value <= found.residual**2 / (found.value - 1)


def test_the_basis_stays_orthonormal_long_after_the_top_has_converged():
    h = symmetric([1000.0, *np.linspace(0, 1, 59).tolist()])
    found = largest(lambda v: h @ v, start(60), iterations=40, tolerance=0.0)
    assert found is not None
    q = found.basis.vectors
    np.testing.assert_allclose(q @ q.T, np.eye(len(q)), atol=1e-10)
    np.testing.assert_allclose(found.basis.small, q @ h @ q.T, atol=1e-8)


def test_known_products_join_the_basis_and_may_be_enough():
    eigenvalues = [5.0, 4.0, 1.0, -1.0, -7.0]
    h = symmetric(eigenvalues)
    _, vectors = torch.linalg.eigh(h)
    known = torch.stack([vectors[:, -1] * 3 + vectors[:, 0], vectors[:, 0], vectors[:, 0] * 2])
    found = largest(
        lambda v: h @ v, start(5), iterations=0, tolerance=0.0, known=(known, known @ h)
    )
    assert found is not None
    assert found.value == pytest.approx(5, rel=1e-12)
    assert found.basis.size == 2  # the third is the second
    more = largest(lambda v: h @ v, start(5), iterations=3, tolerance=0.0, known=(known, known @ h))
    assert more is not None
    assert more.value == pytest.approx(5, rel=1e-12)


def test_a_start_that_is_an_eigenvector_ends_the_search():
    h = symmetric([2.0, 1.0, 0.0])
    _, vectors = torch.linalg.eigh(h)
    found = largest(lambda v: h @ v, vectors[:, -1], iterations=3, tolerance=0.0)
    assert found is not None
    assert found.value == pytest.approx(2)


def test_there_is_no_value_without_finite_products_or_a_start():
    assert largest(lambda v: v * torch.nan, start(3), iterations=3, tolerance=0.1) is None
    assert largest(lambda v: v, torch.zeros(3), iterations=3, tolerance=0.1) is None
    assert largest(lambda v: v, start(3) * torch.nan, iterations=3, tolerance=0.1) is None
