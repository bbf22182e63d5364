"""Gradient noise of the test problems: its mean, its size, and where there is none."""

import math

import numpy as np
import pytest
import torch
from problem_settings import built, problem


def test_finite_sample_noise_is_exactly_centred_and_of_the_chosen_size() -> None:
    for n in (200, 201):
        examples = problem("quadratic", dim=7, noise=0.5, n_samples=n, minimum=1.0, rotate=True)
        rows = examples.x.double()
        assert rows.shape == (n, 7)
        assert float(rows.sum(dim=0).abs().max()) == 0.0
        np.testing.assert_allclose(rows.square().mean(dim=0).sqrt(), 0.5, rtol=1e-6)
        module = built(examples).train()
        values = module(rows)
        exact = float(module.value().detach())
        expected = exact + rows @ (module.w - 1.0)
        torch.testing.assert_close(values, expected, rtol=1e-12, atol=0)
        assert float(values.detach().std()) > 0.1
        module.eval()
        assert float(module(rows).detach().sub(exact).abs().max()) == 0.0


def test_finite_sample_noise_cancels_over_an_epoch_and_follows_the_batch_size() -> None:
    n, size, sigma = 64, 8, 0.5
    examples = problem("quadratic", eigenvalues=[2.0] * 400, noise=sigma, n_samples=n)
    module = built(examples).train()
    exact = 2.0 * module.w.detach()
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    gradients = []
    for batch in examples.x.double()[order].split(size):
        module.zero_grad()
        module(batch).mean().backward()
        gradients.append(module.w.grad.clone() - exact)
    errors = torch.stack(gradients)
    assert float(errors.mean(dim=0).abs().max()) < 1e-12
    expected = sigma**2 / size * (n - size) / (n - 1)
    # 8 batches × 400 coordinates, which are independent.
    tolerance = 5 * expected * math.sqrt(2 / (8 * 400))
    assert float(errors.square().mean()) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("shape", ["isotropic", "hessian"])
@pytest.mark.parametrize("size", [1, 16])
def test_fresh_noise_has_the_variance_of_a_batch(shape: str, size: int) -> None:
    h, sigma, copies = [4.0, 0.25], 0.7, 8000
    examples = problem(
        "noisy_quadratic", eigenvalues=h, repetitions=copies, noise=sigma, noise_shape=shape
    )
    module = built(examples).train()
    torch.manual_seed(1)
    x = torch.zeros(size, 1, dtype=torch.float64)
    module(x).mean().backward()
    errors = (module.w.grad - module.eigenvalues * module.w.detach()).reshape(2, copies)
    for error, curvature in zip(errors, h, strict=True):
        variance = sigma**2 / size * (curvature if shape == "hessian" else 1.0)
        assert float(error.mean()) == pytest.approx(0, abs=5 * math.sqrt(variance / copies))
        tolerance = 5 * variance * math.sqrt(2 / copies)
        assert float(error.square().mean()) == pytest.approx(variance, abs=tolerance)
    assert not torch.equal(module(x), module(x))
    module.eval()
    assert torch.equal(module(x), module(x))
    assert float(module(x)[0].detach()) == pytest.approx(0.5 * copies * sum(h), rel=1e-12)


def test_noise_in_the_plane_is_fresh_and_absent_in_evaluation() -> None:
    examples = problem("rosenbrock", noise=2.0)
    module = built(examples).train()
    x = torch.zeros(4, 1, dtype=torch.float64)
    torch.manual_seed(0)
    draws = []
    for _ in range(500):
        module.zero_grad()
        module(x).mean().backward()
        draws.append(module.w.grad.clone())
    errors = torch.stack(draws) - torch.tensor([-215.6, -88.0])
    assert float(errors.mean()) == pytest.approx(0, abs=5 / math.sqrt(1000))
    assert float(errors.square().mean()) == pytest.approx(1.0, abs=5 * math.sqrt(2 / 1000))
    assert module.eval()(x).tolist() == pytest.approx([24.2] * 4, rel=1e-12)
