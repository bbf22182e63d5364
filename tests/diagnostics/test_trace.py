import numpy as np
import pytest
import torch
from exact import at_start, hessian
from harness import Steps

from sgdlab.diagnostics.curvature import Curvature, probe
from sgdlab.diagnostics.hessian_trace import HessianTrace, hutchinson
from sgdlab.diagnostics.lanczos import largest
from sgdlab.diagnostics.sharpness import Sharpness

SMALL = ("dataset=wine", "model.hidden=[3]", "dtype=float64", "model.activation=tanh")


def test_many_probes_come_to_the_exact_trace_and_one_spreads_as_hutchinson_says():
    steps = Steps(*SMALL)
    moment = steps.take()
    h = hessian(steps.subject, at_start(moment))
    here = Curvature(steps.subject, moment.before, 10**6)
    found = [hutchinson(here, 1, probe(steps.subject, "test", i)) for i in range(400)]
    spread = np.sqrt(2 * (np.sum(h**2) - np.sum(np.diag(h) ** 2)))
    assert np.mean(found) == pytest.approx(np.trace(h), abs=4 * spread / 20)
    assert np.std(found) == pytest.approx(spread, rel=0.2)


def test_what_lanczos_knows_takes_most_of_the_spread_away_and_adds_no_bias():
    steps = Steps(*SMALL)
    moment = steps.take()
    h = hessian(steps.subject, at_start(moment))
    here = Curvature(steps.subject, moment.before, 10**6)
    top = largest(here.product, here.gradient, iterations=15, tolerance=0.0)
    assert top is not None
    found = [hutchinson(here, 1, probe(steps.subject, "test", i), top.basis) for i in range(400)]
    rest = np.eye(len(h)) - top.basis.vectors.numpy().T @ top.basis.vectors.numpy()
    rest = rest @ h @ rest
    spread = np.sqrt(2 * (np.sum(rest**2) - np.sum(np.diag(rest) ** 2)))
    assert spread < 0.5 * np.sqrt(2 * (np.sum(h**2) - np.sum(np.diag(h) ** 2)))
    assert np.mean(found) == pytest.approx(np.trace(h), abs=4 * spread / 20)
    assert np.std(found) == pytest.approx(spread, rel=0.2)


@pytest.mark.parametrize("columns", [2, 8])
def test_a_diagonal_hessian_has_its_trace_from_one_probe(columns):
    eigenvalues = np.geomspace(1, 50, columns).tolist()
    steps = Steps("dataset=quadratic", f"dataset.eigenvalues={eigenvalues}", "dtype=float64")
    quantity = HessianTrace()
    assert quantity.begin(steps.subject) == ("hessian_trace",)
    value = float(steps.measure(quantity, steps.take()))
    assert value == pytest.approx(sum(eigenvalues), rel=1e-10)


def test_hadamards_probes_together_give_the_exact_trace():
    steps = Steps("dataset=quadratic", "dataset.dim=16", "dataset.rotate=true", "dtype=float64")
    moment = steps.take()
    here = Curvature(steps.subject, moment.before, 10**6)
    hadamard = torch.ones(1, 1, dtype=torch.float64)
    while len(hadamard) < 16:
        hadamard = torch.cat([torch.cat([hadamard, hadamard]), torch.cat([hadamard, -hadamard])], 1)
    mean = sum(float(z @ here.product(z)) for z in hadamard) / 16
    h = hessian(steps.subject, at_start(moment))
    assert mean == pytest.approx(np.trace(h), rel=1e-12)


def test_leaves_no_trace_of_its_own_and_measures_the_same_twice():
    steps = Steps("dataset=wine", "model.dropout=0.3", "model.batch_norm=true")
    both = [Sharpness(), HessianTrace(probes=3)]
    for quantity in both:
        quantity.begin(steps.subject)
    moment = steps.take()
    found = [torch.cat([steps.measure(q, moment) for q in both]) for _ in range(1)]
    moment.shared.clear()
    fresh = [Sharpness(), HessianTrace(probes=3)]
    for quantity in fresh:
        quantity.begin(steps.subject)
    again = torch.cat([steps.measure(q, moment) for q in fresh])
    assert torch.equal(found[0], again)
