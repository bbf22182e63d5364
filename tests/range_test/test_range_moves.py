"""The range goes where the loss says something: advice against closed forms and real runs."""

import dataclasses
import math

import pytest
import torch
from finder_runs import curve_of, section
from torch import nn
from torch.nn import functional as F

from sgdlab.datasets.base import Split
from sgdlab.range_test.move import moved_test
from sgdlab.range_test.result import RangeResult, result_of
from sgdlab.steps.criterion import Criterion
from trainer_runs import built


def advice(*overrides: str, change=lambda run: run, **ends: float) -> tuple[RangeResult, int]:
    """Return a range test of a run, changed before it starts, and how many tests it took."""
    made: list[float] = []

    def test(part):
        made.append(1)
        run = change(built(*overrides))
        return result_of("x", curve_of(run, **dataclasses.asdict(part)), part, lambda lr: lr)

    return moved_test(test, section(**{"start": None, "stop": None, **ends})), len(made)


@pytest.mark.parametrize("exponent", [-10, -4, -2, -1, 0, 4, 9, 12])
def test_the_advice_follows_the_curvature_of_a_quadratic(exponent):
    """``2/λ_max`` is the limit of stability, and what is within a factor of 30 below it trains."""
    largest = 10.0**exponent
    spectrum = f"dataset.eigenvalues=[{largest},{largest / 10},{largest / 100}]"
    result, _ = advice("dataset=quadratic", "optimizer=sgd", spectrum, "dtype=float64")
    assert 1 / 30 < result.take * largest / 2 < 1


@pytest.mark.parametrize("start", [1e-6, 1.0, 1e5])
def test_it_follows_the_distance_for_an_optimizer_of_equal_steps(start):
    """Adam moves by ``lr`` in every coordinate, whatever the gradient."""
    result, _ = advice("dataset=quadratic", "optimizer=adam", f"dataset.start={start}")
    assert 1e-2 < result.take / start < 1


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_it_follows_the_scale_of_the_inputs(scale):
    """Linear regression: ``λ`` is that of ``2·XᵀX/n``, which grows with the square of the scale."""

    def scaled(run):
        x, y = run.data.train
        split = Split(x * scale, y)
        run.data = dataclasses.replace(run.data, train=split, val=split)
        _, bias = run.model.parameters()
        bias.register_hook(torch.zeros_like)  # its curvature does not scale
        return run

    overrides = ("dataset=diabetes", "model=linear", "optimizer=sgd", "dtype=float64")
    overrides += ("optimizer.weight_decay=0.0",)  # it would be unstable first at such rates
    result, _ = advice(*overrides, change=scaled)
    x = scaled(built(*overrides)).data.train.x
    largest = float(torch.linalg.eigvalsh(2 * x.T @ x / len(x))[-1])
    assert 1 / 60 < result.take * largest / 2 < 1


def test_it_follows_the_scale_of_a_loss_of_counts():
    """A Poisson loss, which falls far below 0, with targets of about 20; against a grid of runs."""
    overrides = ("dataset=diabetes", "model=linear", "optimizer=sgd", "optimizer.weight_decay=0.0")

    def counts(run):
        x = run.data.train.x
        rate = (3 + 0.1 * x[:, :1]).exp()
        y = torch.poisson(rate, generator=torch.Generator().manual_seed(0))
        split = Split(x, y)
        run.data = dataclasses.replace(run.data, train=split, val=split)
        run.objective.loss = Criterion(F.poisson_nll_loss)
        return run

    result, _ = advice(*overrides, change=counts)

    def after_100_steps(lr):
        run = counts(built(*overrides))
        x, y = run.data.train
        for step in range(100):
            run.update.step(step, [Split(x, y)], lr, None)
        return float(run.objective.value([Split(x, y)]))

    grid = {lr: after_100_steps(lr) for lr in (1e-5, 1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.3, 1.0)}
    finite = {lr: loss for lr, loss in grid.items() if math.isfinite(loss)}
    best = min(finite, key=finite.get)
    assert best / 30 < result.take < best * 3
    assert min(finite.values()) < 0


def test_a_lucky_start_does_not_end_the_test():
    """From weights of a loss near 0, a rise that stays below a constant prediction is none."""

    def trained(run):
        linear = next(m for m in run.model.modules() if isinstance(m, nn.Linear))
        with torch.no_grad():
            linear.weight.copy_(torch.linalg.lstsq(*_one_hot(run)).solution.T * 30)
        return run

    curve = curve_of(trained(built("dataset=wine", "model=linear", "optimizer=sgd")))
    assert curve.initial_loss < 0.05
    ends = [p.smoothed for p in curve.points]
    assert curve.stopped is None or ends[-1] > math.log(3) / 2


def _one_hot(run):
    x, y = run.data.train
    return x, F.one_hot(y, 3).to(x.dtype) - 1 / 3


def test_ends_that_are_asked_for_stay():
    slow = "dataset.eigenvalues=[1e-6,1e-7]"
    result, tests = advice("dataset=quadratic", "optimizer=sgd", slow, start=1e-7, stop=10.0)
    assert tests == 1
    assert "raise range.stop=10" in result.why_none


def test_what_was_moved_is_said():
    result, tests = advice("dataset=quadratic", "optimizer=sgd", "dataset.eigenvalues=[1e-6,1e-7]")
    assert tests == 3
    assert result.notes[0].startswith("the rates go from 1e+01 to 1e+09, since at lower ones")


def test_where_nothing_is_learned_the_first_range_says_so():
    def frozen(run):
        for p in run.model.parameters():
            p.register_hook(torch.zeros_like)
        return run

    result, tests = advice("dataset=wine", "optimizer=sgd", change=frozen)
    assert result.take is None
    assert "raise range.stop=10" in result.why_none
    assert result.why_none.endswith("there is none, either")
    assert tests <= 6


def test_a_loss_that_is_nan_at_the_start_is_tried_once():
    def broken(run):
        run.objective.loss = Criterion(lambda output, y: output.sum() * math.nan)
        return run

    result, tests = advice("dataset=wine", change=broken)
    assert (result.take, tests) == (None, 1)
