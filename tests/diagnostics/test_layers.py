import itertools

import numpy as np
import pytest
import torch
from exact import hessian, top
from harness import Steps

from sgdlab.diagnostics.base import flat
from sgdlab.diagnostics.layers import Layers
from sgdlab.diagnostics.minimum import Minimum
from sgdlab.errors import InputError

SMALL = ("dataset=wine", "model.hidden=[3]", "dtype=float64", "model.activation=tanh")


def concluded(steps: Steps, conclusion) -> dict[str, list]:
    """Return the one table by columns, once nothing of the run has changed."""
    old = steps._traces()
    (table,) = conclusion.conclude(steps.subject).values()
    now = steps._traces()
    for name in ("parameters", "gradients", "buffers"):
        for a, b in zip(old[name], now[name], strict=True):
            assert a is b or torch.equal(a, b)
    assert old["modes"] == now["modes"]
    assert torch.equal(old["random state"], now["random state"])
    return dict(zip(table.columns, map(list, zip(*table.rows, strict=True)), strict=True))


def test_layers_have_the_top_and_the_trace_of_their_blocks():
    steps = Steps(*SMALL, "model.dropout=0.5", "model.batch_norm=true")
    for _ in range(5):
        steps.take()
    found = concluded(steps, Layers(10**6, iterations=60, tolerance=0.0, probes=400))
    h = hessian(steps.subject, flat(steps.subject.parameters))
    assert found["layer"] == ["1", "2", "5"]
    assert found["num_parameters"] == [42, 6, 12]
    assert found["examples"] == [106] * 3
    edges = np.cumsum([0, *found["num_parameters"]])
    for i, (low, high) in enumerate(itertools.pairwise(edges)):
        block = h[low:high, low:high]
        assert found["sharpness"][i] == pytest.approx(top(block), rel=1e-8)
        assert found["sharpness"][i] <= top(h) + 1e-9
        rows = np.sum(h[low:high] ** 2) + np.sum(block**2)  # of a row of signs and of its mirror
        assert found["trace"][i] == pytest.approx(np.trace(block), abs=4 * np.sqrt(rows / 400))
    assert sum(found["trace_share"]) == pytest.approx(1)


def test_the_minimum_has_the_exact_top_and_the_rise_along_the_gradient():
    steps = Steps(*SMALL, "model.dropout=0.5")
    for _ in range(5):
        steps.take()
    subject = steps.subject
    found = concluded(steps, Minimum(10**6, rho=0.1, iterations=60, tolerance=0.0, probes=200))
    at = flat(subject.parameters)
    h = hessian(subject, at)
    assert found["sharpness"] == [pytest.approx(top(h), rel=1e-8)]
    assert found["hessian_trace"] == [pytest.approx(np.trace(h), rel=1e-6)]  # all of it is known
    x, y = subject.data.train

    def loss(vector: torch.Tensor) -> torch.Tensor:
        parts = vector.split([p.numel() for p in subject.parameters])
        subject.model.eval()
        named = {n: v.view_as(p) for n, v, p in
                 zip(subject.names, parts, subject.parameters, strict=True)}  # fmt: skip
        value = subject.loss(torch.func.functional_call(subject.model, named, (x,)), y)
        subject.model.train()
        return value

    g = torch.func.grad(loss)(at)
    rise = float(loss(at + 0.1 * g / g.norm()) - loss(at))
    assert found["loss"] == [pytest.approx(float(loss(at)), rel=1e-12)]
    assert found["sam_sharpness"] == [pytest.approx(rise, rel=1e-9)]
    assert found["rho"] == [0.1]
    # A lower bound: no random direction of that length is needed to reach it.
    assert rise <= max(float(loss(at + 0.1 * v / v.norm()) - loss(at)) for v in ascents(loss, at))


def ascents(loss, at: torch.Tensor) -> list[torch.Tensor]:
    """Return displacements of 50 steps of projected ascent."""
    e = torch.func.grad(loss)(at)
    found = [e]
    for _ in range(50):
        e = torch.func.grad(loss)(at + 0.1 * e / e.norm())
        found.append(e)
    return found


def test_settings_out_of_range_are_refused():
    with pytest.raises(InputError, match=r"at_end.layers.probes=0"):
        Layers(probes=0)
    with pytest.raises(InputError, match=r"at_end.minimum.rho=0: must be a number above 0"):
        Minimum(rho=0)
