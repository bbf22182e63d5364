"""The loop: the updates of training at rising rates, and where it stops."""

import math

import numpy as np
import pytest
import torch
from finder_runs import curve_of, section

from sgdlab.range_test.explore import explore
from sgdlab.range_test.settings import rates
from sgdlab.steps.batches import stream_seed
from sgdlab.steps.criterion import Criterion
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.evaluation import evaluate
from sgdlab.training.loop import fit
from trainer_runs import built, config_of

WINE = ("dataset=wine", "model=linear")


class Nothing:
    """Takes rows and keeps them."""

    def __init__(self):
        self.rows = []

    def steps(self, rows):
        self.rows += rows

    def evaluation(self, row):
        """Drop it."""


def test_the_points_are_those_of_a_loop_by_hand():
    run, twin = built(*WINE, "optimizer=sgd", "optimizer.weight_decay=0.0"), built(*WINE)
    curve = curve_of(run, steps=12, start=1e-3, stop=1.0)
    weight, bias = (p.detach().clone() for p in twin.model.parameters())
    seen, train = [], twin.data.train
    batches = [
        order.tolist()
        for epoch in range(7)
        for order in twin.plan.order(twin.config.seed, epoch).split(64)
    ]
    for lr, batch in zip(
        [*rates(section(steps=12, start=1e-3, stop=1.0)), 0.0], batches[:13], strict=True
    ):
        w, b = weight.requires_grad_(), bias.requires_grad_()
        loss = torch.nn.functional.cross_entropy(train.x[batch] @ w.T + b, train.y[batch])
        seen.append(loss.item())
        dw, db = torch.autograd.grad(loss, (w, b))
        weight, bias = (w - lr * dw).detach(), (b - lr * db).detach()
    assert curve.stopped is None
    assert curve.initial_loss == pytest.approx(seen[0], rel=1e-5)
    assert [point.loss for point in curve.points] == pytest.approx(seen[1:], rel=1e-4)


@pytest.mark.parametrize(
    "overrides",
    [
        ("optimizer=adamw", "accumulate=2", "batch_size=16", "clip_norm=0.1"),
        ("optimizer=nesterov", "decay.mode=decoupled", "lr_multipliers={*.bias:2}"),
        ("optimizer=lbfgs", "batch_size=full"),
        ("local_sgd.workers=2", "local_sgd.steps=2", "batch_size=16"),
        ("model=mlp", "model.dropout=0.3", "model.batch_norm=true"),
    ],
)
def test_at_one_rate_it_is_the_training_loop(overrides):
    overrides = (*WINE, "schedule=constant", "max_steps=11", "lr=0.05", *overrides)
    run, log = built(*overrides), Nothing()
    with torch.random.fork_rng():
        torch.manual_seed(stream_seed(0, "other"))
        fit(run, log, NoDisplay())
    trained = [row[4] for row in log.rows]
    # Rates within a billionth are one rate.
    curve = curve_of(built(*overrides), steps=10, start=0.05, stop=0.05 * (1 + 1e-9))
    assert [curve.initial_loss, *(p.loss for p in curve.points[:-1])] == pytest.approx(
        trained[:10], rel=1e-6
    )


def test_the_validation_loss_is_that_after_the_update():
    run = built(*WINE)
    curve = curve_of(run, steps=10, start=1e-4, stop=0.1, val=True)
    found = evaluate(run.model, run.objective.loss, run.metric, run.data.val, 1000)
    assert curve.points[-1].val_loss == pytest.approx(found.loss, rel=1e-6)
    assert curve.has_val
    plain = curve_of(built(*WINE), steps=10, start=1e-4, stop=0.1)
    assert [p.loss for p in plain.points] == [p.loss for p in curve.points]


def test_it_uses_the_scaled_rate_and_keeps_the_typed_one():
    scaled = explore(built(*WINE), section(steps=10), lambda lr: 2 * lr, NoDisplay())
    plain = curve_of(built(*WINE), steps=10, start=2e-7, stop=20.0)
    assert [p.loss for p in scaled.points] == pytest.approx([p.loss for p in plain.points])
    assert [p.lr_used for p in scaled.points] == [2 * p.lr for p in scaled.points]
    assert scaled.is_scaled
    assert not plain.is_scaled


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_ends_it(value):
    run = built(*WINE)
    sound, calls = run.objective.loss, []

    def breaks(output, y):
        calls.append(1)
        loss = sound(output, y)
        return loss * value if len(calls) > 20 else loss

    run.objective.loss = Criterion(breaks)
    curve = curve_of(run)
    assert len(curve.points) == 20
    assert not math.isfinite(curve.points[-1].loss)
    assert curve.points[-1].smoothed is None
    assert curve.stopped.startswith("the loss is")
    assert all(math.isfinite(v) for v in curve.read().values)


def test_a_gradient_that_is_not_finite_ends_it():
    run = built(*WINE)
    weight = next(run.model.parameters())
    calls = []

    def breaks(gradient):
        calls.append(1)
        return gradient * math.nan if len(calls) > 20 else gradient

    weight.register_hook(breaks)
    curve = curve_of(run)
    assert len(curve.points) == 20
    assert curve.stopped.startswith("the gradient norm is nan after the update with lr=")
    assert math.isfinite(curve.points[-1].loss)


def test_a_loss_that_is_nan_from_the_start():
    run = built(*WINE)
    run.objective.loss = Criterion(lambda output, y: output.sum() * math.nan)
    curve = curve_of(run)
    assert curve.points == ()
    assert curve.stopped == "the loss is nan at the initial weights"


def test_it_stops_at_a_multiple_of_the_best_that_is_above_the_start():
    curve = curve_of(built("dataset=diabetes", "model=mlp"))
    smoothed = [p.smoothed for p in curve.points]
    best = np.minimum.accumulate(smoothed)
    over = [
        value > 5 * low and value > curve.initial_loss
        for value, low in zip(smoothed, best, strict=True)
    ]
    assert over == [False] * (len(over) - 1) + [True]
    assert "range.diverge=5" in curve.stopped
    beyond = curve_of(built("dataset=diabetes", "model=mlp"), diverge=None)
    assert len(beyond.points) > len(curve.points)


def test_a_loss_below_zero_is_no_divergence():
    run = built(*WINE)
    sound = run.objective.loss
    run.objective.loss = Criterion(lambda output, y: sound(output, y) - 5)
    shifted = curve_of(run, steps=40, stop=0.01)
    assert shifted.stopped is None
    assert len(shifted.points) == 40


def test_independent_decay_does_not_follow_the_rate():
    run = built(*WINE, "optimizer=adamw", "decay.mode=independent", "optimizer.weight_decay=0.1")
    for p in run.model.parameters():
        p.register_hook(torch.zeros_like)
    before = next(run.model.parameters()).detach().clone()
    curve_of(run, steps=10, start=1e-5, stop=100.0)
    after = next(run.model.parameters()).detach()
    assert torch.allclose(after, before * 0.9**10, rtol=1e-5)


def test_it_leaves_no_trace():
    run = built(*WINE, "model=mlp", "model.dropout=0.5")
    other = built(*WINE)
    state = torch.random.get_rng_state()
    threads = torch.get_num_threads()
    weights = [p.detach().clone() for p in other.model.parameters()]
    x = run.data.train.x.clone()
    curve_of(run, steps=10)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert all(map(torch.equal, other.model.parameters(), weights))
    assert torch.equal(run.data.train.x, x)


def test_it_repeats_exactly():
    overrides = (*WINE, "model=mlp", "model.dropout=0.5")
    assert curve_of(built(*overrides), steps=20) == curve_of(built(*overrides), steps=20)
    assert config_of(*overrides).seed == 0
