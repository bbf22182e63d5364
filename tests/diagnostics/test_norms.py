"""Norms against loops over numbers in Python, whatever makes the update."""

import math

import pytest
import torch
from harness import begun, named

from sgdlab.diagnostics.norms import Norms
from trainer_runs import built


def _norm(tensors: list[torch.Tensor]) -> float:
    return math.sqrt(math.fsum(v * v for t in tensors for v in t.double().flatten().tolist()))


@pytest.mark.parametrize(
    "settings",
    [
        ("model=linear", "optimizer=sgd", "lr=0.1"),
        ("model.hidden=[5,4]", "model.batch_norm=true", "accumulate=3", "clip_norm=0.1"),
        ("model=cnn", "model.channels=[2]", "model.hidden=[3]", "optimizer=adamw"),
        ("dataset=rosenbrock", "optimizer=adam", "lr=0.1"),
    ],
)
def test_norms_are_sums_of_squares(settings: tuple[str, ...]) -> None:
    steps, columns = begun(norms := Norms(), *settings, "dtype=float64")
    initial = [p.detach().clone() for p in built(*settings, "dtype=float64").model.parameters()]
    moment = steps.uneven() if "accumulate=3" in settings else [steps.take() for _ in range(3)][-1]
    found = named(columns, steps.measure(norms, moment))

    changes = [a - b for a, b in zip(moment.after, moment.before, strict=True)]
    moved = [b - i for b, i in zip(moment.before, initial, strict=True)]
    expected = {
        "update_norm": _norm(changes),
        "weight_norm": _norm(moment.before),
        "update_ratio": _norm(changes) / _norm(moment.before),
        "distance": _norm(moved),
    }
    by_layer: dict[str, list[int]] = {}
    for index, (name, _) in enumerate(steps.run.model.named_parameters()):
        layer = name.removesuffix(".weight").removesuffix(".bias")
        by_layer.setdefault(layer, []).append(index)
    for layer, members in by_layer.items():
        weights = _norm([moment.before[i] for i in members])
        update = _norm([changes[i] for i in members])
        expected[f"grad_norm.{layer}"] = _norm([moment.gradients[i] for i in members])
        expected[f"weight_norm.{layer}"] = weights
        expected[f"update_norm.{layer}"] = update
        expected[f"update_ratio.{layer}"] = update / weights if weights else math.inf
    assert set(columns) == set(expected)
    assert found == pytest.approx(expected, rel=1e-12)
    assert found["distance"] > 0


def test_layers_are_named_by_their_modules() -> None:
    _, columns = begun(Norms())
    assert columns[:4] == ("update_norm", "weight_norm", "update_ratio", "distance")
    assert [c for c in columns if c.startswith("grad_norm")] == [
        f"grad_norm.{i}" for i in (1, 3, 5)
    ]


def test_whole_gradient_is_that_of_the_log() -> None:
    """The columns of layers give ``grad_norm`` of the row, which is before clipping."""
    steps, columns = begun(norms := Norms(), "clip_norm=0.01")
    moment = steps.take()
    found = named(columns, steps.measure(norms, moment))
    whole = math.hypot(*(v for name, v in found.items() if name.startswith("grad_norm.")))
    logged = torch.linalg.vector_norm(moment.gradient).item()
    assert whole == pytest.approx(logged, rel=1e-6)
    # SGD with momentum, first step: the update is lr times the clipped gradient (and the decay).
    assert found["update_norm"] == pytest.approx(1.9 * moment.lr * 0.01, rel=0.05)
