"""Dead units against a loop over examples and units."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from harness import Steps, begun, named
from torch import Tensor, nn

from sgdlab.diagnostics.base import Moment
from sgdlab.diagnostics.dead_units import DeadUnits
from sgdlab.diagnostics.placed import placed
from sgdlab.models.parts import ACTIVATIONS
from sgdlab.steps.closure import undisturbed
from sgdlab.steps.precision import autocast
from trainer_runs import built

DEAD = {
    "relu": lambda y: y == 0,
    "leaky_relu": lambda y: y == 0,
    "gelu": lambda y: abs(y) <= 0.01,
    "silu": lambda y: abs(y) <= 0.01,
    "elu": lambda y: y <= -0.99,
    "tanh": lambda y: abs(y) >= 0.99,
    "sigmoid": lambda y: y <= 0.005 or y >= 0.995,
}


def _kill(model: nn.Module) -> None:
    """Push some units of the first two dense layers far to either side."""
    with torch.no_grad():
        dense = [m for m in model.modules() if isinstance(m, nn.Linear)]
        dense[0].bias[:7] = -50.0
        dense[0].bias[7:9] = 50.0
        dense[1].bias[:4] = -50.0


def _loop(steps: Steps, moment: Moment, activation: str) -> float:
    """Return the share of dead units of an MLP without batch norm, example by example."""
    model = steps.run.model
    parameters = dict(zip(steps.subject.names, moment.before, strict=True))
    state = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict({**state, **parameters})
    alive: dict[tuple[int, int], bool] = {}
    for x in torch.cat([x for x, _ in moment.update]):
        h = x[None]
        for place, module in enumerate(model.children()):
            h = module(h)
            if isinstance(module, tuple(ACTIVATIONS.values())):
                for unit, y in enumerate(h[0].tolist()):
                    one = alive.setdefault((place, unit), False)
                    alive[place, unit] = one or not DEAD[activation](y)
    model.load_state_dict(state)
    return sum(not each for each in alive.values()) / len(alive)


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_units_are_dead_on_all_examples_of_all_micro_batches(activation: str) -> None:
    settings = (f"model.activation={activation}", "accumulate=3", "lr=0.1", "dataset=wine")
    dead = DeadUnits()
    steps, columns = begun(dead, *settings, "batch_size=7", "model.hidden=[32,16]")
    _kill(steps.run.model)
    moment = [steps.take(dead) for _ in range(3)][-1]
    found = named(columns, steps.measure(dead, moment))["dead_units"]
    with torch.no_grad():
        expected = _loop(steps, moment, activation)
    assert found == pytest.approx(expected, abs=1e-6)
    saturated = {"relu": 11, "gelu": 11, "silu": 11, "elu": 11, "tanh": 13, "sigmoid": 13}
    assert expected >= saturated.get(activation, 0) / 48


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "elu"])
def test_saturated_is_a_slope_of_two_percent(name: str) -> None:
    """Where an output counts as dead, the derivative is at most 2 % of the largest."""
    x = torch.linspace(-12, 12, 4801, dtype=torch.float64, requires_grad=True)
    y = ACTIVATIONS[name]()(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    dead = torch.tensor([DEAD[name](v) for v in y.tolist()])
    assert slope[dead].max() <= 0.02 * slope.max()
    assert slope[~dead].min() >= 0.009 * slope.max()


@pytest.mark.parametrize(
    "settings",
    [
        ("model.batch_norm=true", "model.dropout=0.5", "accumulate=2"),
        ("model=cnn", "model.batch_norm=true", "precision=bf16"),
        ("optimizer=lbfgs", "model.dropout=0.5", "batch_size=256"),
        ("optimizer=nesterov_lookahead", "model.dropout=0.5", "lr=0.5"),
        ("staleness.delay=2", "model.dropout=0.5", "lr=0.5"),
    ],
)
def test_watching_a_step_sees_what_repeating_it_sees(settings: tuple[str, ...]) -> None:
    dead = DeadUnits()
    steps, _ = begun(dead, *settings)
    with torch.no_grad():
        for module in steps.run.model.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.bias[::3] = -2.5
            elif isinstance(module, nn.Linear):
                module.bias[::3] = -0.9
    for _ in range(3):
        moment = steps.take(dead)
        watched = steps.measure(dead, moment)
        assert steps._hooks() == 0
        model = steps.run.model
        dead.before(steps.subject)
        with (
            autocast(steps.run.device, steps.run.objective.half),
            torch.no_grad(),
            undisturbed(model, moment.random_state),
            placed(steps.subject.parameters, moment.before),
        ):
            for x, _ in moment.update:
                model(x)
        assert torch.equal(watched, steps.measure(dead, moment))
        assert 0.01 < watched.item() < 0.9


def test_a_channel_is_a_unit_wherever_it_is_dead() -> None:
    dead = DeadUnits()
    steps, _ = begun(dead, "model=cnn", "model.channels=[4]", "model.hidden=[4]")
    first = next(m for m in steps.run.model.modules() if isinstance(m, nn.Conv2d))
    with torch.no_grad():
        for module in steps.run.model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.constant_(module.bias, 10.0)  # type: ignore[arg-type]
        assert first.bias is not None
        first.bias[0] = -50.0
    assert steps.measure(dead, steps.take(dead)).item() == pytest.approx(1 / 8)


def test_without_activations_there_is_no_share() -> None:
    for settings in (("model=linear",), ("dataset=rosenbrock",)):
        dead = DeadUnits()
        steps, columns = begun(dead, *settings)
        assert columns == ("dead_units",)
        assert math.isnan(steps.measure(dead, steps.take(dead)).item())


class Odd(nn.Module):
    """A layer that is never used, one that is skipped by chance, and channels in the middle."""

    def __init__(self, used: bool) -> None:
        super().__init__()
        self.calls, self.used = 0, used
        self.conv = nn.Conv1d(1, 4, 3)
        self.relu, self.sometimes, self.never = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.out = nn.Linear(4 * 11, 3)
        with torch.no_grad():
            self.conv.bias[:2] = -1000.0

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.conv(x[:, None])
        if not self.used:
            return self.out(torch.relu(hidden).flatten(1))
        self.calls += 1
        hidden = self.relu(hidden)
        return self.out((self.sometimes(hidden) if self.calls % 2 else hidden).flatten(1))


@pytest.mark.parametrize("used", [True, False])
def test_layers_may_be_unused_skipped_or_channels_first(used: bool) -> None:
    run = built("dataset=wine", "model=linear")
    model = Odd(used)
    subject = replace(run.diagnostics.subject, model=model)
    dead = DeadUnits()
    dead.begin(subject)
    dead.before(subject)
    update = [(run.data.train.x[:8], run.data.train.y[:8])] * 2
    for x, _ in update:
        model(x)
    moment = SimpleNamespace(update=update)
    (found,) = dead.measure(subject, moment)  # type: ignore[arg-type]
    assert found == 0.5 if used else math.isnan(found)
