"""Alpha on true parabolas, and its fit against least squares and finite differences."""

import copy
import math

import numpy as np
import pytest
import torch
from harness import Steps, begun
from torch import Tensor
from torch.func import functional_call

from sgdlab.diagnostics.alpha import Alpha, alpha_of
from sgdlab.diagnostics.base import Moment


@pytest.mark.parametrize("stiffness", [0.3, 1.0, 1.7, 2.5])
def test_descent_on_a_parabola_ends_at_lr_times_curvature_less_one(stiffness: float) -> None:
    settings = ("dataset=quadratic", "dataset.eigenvalues=[4.0]", "optimizer=sgd")
    rest = ("optimizer.weight_decay=0.0", "schedule=constant", f"lr={stiffness / 4}")
    steps, columns = begun(alpha := Alpha(), *settings, *rest, "dtype=float64")
    assert columns == ("alpha",)
    value = steps.measure(alpha, steps.take()).item()
    assert value == pytest.approx(stiffness - 1, abs=1e-12)


def test_noise_of_a_batch_is_the_same_at_both_ends() -> None:
    """One noise vector tilts a quadratic: still a true parabola, whose curvature is h."""
    settings = ("dataset=noisy_quadratic", "dataset.eigenvalues=[1.0]", "dataset.noise=50.0")
    rest = ("optimizer=sgd", "optimizer.weight_decay=0.0", "schedule=constant", "lr=1.3")
    steps, _ = begun(alpha := Alpha(), *settings, *rest, "dtype=float64", "batch_size=16")
    for _ in range(3):
        value = steps.measure(alpha, steps.take()).item()
        assert value == pytest.approx(0.3, abs=1e-9)


def test_fit_is_that_of_least_squares() -> None:
    random = np.random.default_rng(0)
    design = np.array([[1, 0, 0], [1, 1, 1], [0, 1, 0], [0, 1, 2]], float)
    concave = 0
    for values in random.standard_normal((200, 4)):
        _, linear, square = np.linalg.lstsq(design, values, rcond=None)[0]
        expected = -2 * square / linear - 1 if square > 0 else -1.0
        concave += square <= 0
        got = alpha_of(*torch.tensor(values)).item()
        assert got == pytest.approx(expected, rel=1e-9)
    assert 50 < concave < 150


def test_no_move_is_minus_one_and_nan_stays() -> None:
    zero, one = torch.zeros(()), torch.ones(())
    assert alpha_of(one, one, zero, zero).item() == -1.0
    assert math.isnan(alpha_of(one, one * math.nan, -one, one).item())


def _along(steps: Steps, moment: Moment, s: float) -> tuple[float, float]:
    """Return loss and slope of the update's batch at ``s`` along the step, by one-sided copies."""
    model = copy.deepcopy(steps.run.model)
    names = steps.subject.names
    size = sum(len(y) for _, y in moment.update)
    state = torch.get_rng_state()

    def loss(at: Tensor) -> Tensor:
        torch.set_rng_state(moment.random_state)
        line = [b + at * (a - b) for a, b in zip(moment.after, moment.before, strict=True)]
        values = dict(zip(names, line, strict=True))
        total = torch.zeros((), dtype=torch.float64)
        for x, y in moment.update:
            output = functional_call(model, values, (x,))
            total = total + steps.subject.loss(output, y) * len(y) / size
        return total

    at = torch.tensor(s, dtype=torch.float64)
    value, slope = torch.autograd.functional.jvp(loss, at, torch.ones_like(at))
    found = float(value), float(slope)  # pyright: ignore[reportArgumentType]
    torch.set_rng_state(state)
    return found


@pytest.mark.parametrize(
    "settings",
    [
        ("accumulate=3", "clip_norm=0.1", "model.dropout=0.3", "model.batch_norm=true", "lr=0.5"),
        ("optimizer=adamw", "lr=0.1", "dataset=wine", "batch_size=16"),
        ("optimizer=nesterov_lookahead", "lr=0.3", "model.dropout=0.3"),
        ("optimizer=lbfgs", "dataset=diabetes", "model.activation=tanh"),
        ("staleness.delay=2", "lr=0.3"),
    ],
)
def test_alpha_of_a_network_agrees_with_forward_derivatives(settings: tuple[str, ...]) -> None:
    steps, _ = begun(alpha := Alpha(), "dtype=float64", "model.hidden=[8]", *settings)
    moment = steps.uneven() if "accumulate=3" in settings else [steps.take() for _ in range(4)][-1]
    value = steps.measure(alpha, moment).item()
    (f0, d0), (f1, d1) = _along(steps, moment, 0.0), _along(steps, moment, 1.0)
    assert f0 == pytest.approx(moment.loss.item())
    design = np.array([[1, 0, 0], [1, 1, 1], [0, 1, 0], [0, 1, 2]], float)
    _, linear, square = np.linalg.lstsq(design, np.array([f0, f1, d0, d1]), rcond=None)[0]
    expected = -2 * square / linear - 1 if square > 0 else -1.0
    assert value == pytest.approx(expected, rel=1e-6)
    assert abs(value + 1) > 1e-6
