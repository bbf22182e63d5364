import numpy as np
import pytest
import torch
from exact import at_start, gradients, hessian
from harness import Steps

from sgdlab.diagnostics.curvature import Curvature
from sgdlab.diagnostics.hessian_trace import HessianTrace
from sgdlab.diagnostics.noise_alignment import NoiseAlignment, noise_pair

SMALL = ("dataset=wine", "model.hidden=[3]", "dtype=float64", "model.activation=tanh")


@pytest.mark.slow
def test_the_noise_of_signs_is_their_sum_over_the_examples_own_gradients():
    steps = Steps(*SMALL, "model.dropout=0.3")
    moment = steps.take()
    g = gradients(steps.subject, at_start(moment))
    here = Curvature(steps.subject, moment.before, 10**6)
    for positive in (1, 40, len(g) - 1):
        signs = torch.ones(len(g), dtype=torch.float64)
        signs[positive:] = -1
        np.testing.assert_allclose(here.noise(signs), signs.numpy() @ (g - g.mean(0)), atol=1e-12)
    assert not here.noise(torch.ones(len(g), dtype=torch.float64)).any()
    np.testing.assert_allclose(here.gradient, g.mean(0), atol=1e-12)


def test_many_probes_come_to_the_exact_ratio_of_traces():
    steps = Steps(*SMALL)
    trace, quantity = HessianTrace(10**6, probes=400), NoiseAlignment(10**6, probes=400)
    assert trace.begin(steps.subject) == ("hessian_trace",)
    assert quantity.begin(steps.subject) == ("noise_alignment",)
    for _ in range(5):
        moment = steps.take()
    h = hessian(steps.subject, at_start(moment))
    g = gradients(steps.subject, at_start(moment))
    covariance = np.cov(g.T, bias=True)
    exact = len(h) * np.trace(h @ covariance) / (np.trace(h) * np.trace(covariance))
    steps.measure(trace, moment)
    assert float(steps.measure(quantity, moment)) == pytest.approx(exact, rel=0.1)
    assert exact > 2  # noise is along sharp directions


def test_the_direction_is_noise_alone_and_its_product_is_the_hessians():
    steps = Steps(*SMALL)
    moment = steps.take()
    h = hessian(steps.subject, at_start(moment))
    g = gradients(steps.subject, at_start(moment))
    g -= g.mean(0)
    q, hq = noise_pair(steps.subject, moment, 10**6)
    np.testing.assert_allclose(hq, h @ q.numpy(), atol=1e-10)
    signs, *_ = np.linalg.lstsq(g.T, q.numpy(), rcond=None)
    np.testing.assert_allclose(g.T @ signs, q, atol=1e-8)


def test_without_noise_there_is_no_alignment():
    steps = Steps("dataset=quadratic", "dtype=float64")
    quantity = NoiseAlignment()
    quantity.begin(steps.subject)
    assert steps.measure(quantity, steps.take()).isnan().all()
