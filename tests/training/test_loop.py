"""The loop against independent computations: NumPy by hand, torch itself, large batches."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sgdlab.config.catalogue import conf_dir
from sgdlab.datasets.base import Split
from sgdlab.results import COMPLETED, DIVERGED
from sgdlab.steps.batches import BatchPlan
from sgdlab.steps.objective import clip, gradient_norm
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.build import build_run
from sgdlab.training.loop import fit
from sgdlab.training.threads import threads_for
from trainer_runs import Rows, built, config_of, train


@pytest.mark.parametrize("optimizer", ["momentum", "nesterov"])
def test_fifty_steps_agree_with_numpy_written_by_hand(optimizer: str) -> None:
    """Softmax regression with biases out of the decay, in float64, update equations in NumPy."""
    settings = ["model=linear", f"optimizer={optimizer}", "dtype=float64", "lr=0.05"]
    settings += ["optimizer.weight_decay=0.01", "batch_size=128", "max_steps=50", "clip_norm=0.5"]
    run = built(*settings, "schedule.warmup_epochs=2")
    weight, bias = (p.detach().numpy().copy() for p in run.model.parameters())
    x, y = (values.numpy() for values in run.data.train)
    velocity = [np.zeros_like(weight), np.zeros_like(bias)]
    rows = Rows()
    fit(run, rows, NoDisplay())

    step, losses, norms = 0, [], []
    warmup = 2 * run.plan.steps_per_epoch
    while step < 50:
        epoch = step // run.plan.steps_per_epoch
        for ((xb, yb),) in run.plan.epoch(
            Split(torch.arange(len(y))[:, None], torch.arange(len(y))), run.config.seed, epoch
        ):
            assert torch.equal(xb[:, 0], yb)
            inputs, labels = x[yb.numpy()].reshape(len(yb), -1), y[yb.numpy()]
            scores = inputs @ weight.T + bias
            scores -= scores.max(axis=1, keepdims=True)
            p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
            losses.append(-np.log(p[np.arange(len(labels)), labels]).mean())
            p[np.arange(len(labels)), labels] -= 1.0
            gradients = [p.T @ inputs / len(labels), p.mean(axis=0)]
            norms.append(math.sqrt(sum((g**2).sum() for g in gradients)))
            coefficient = min(1.0, 0.5 / (norms[-1] + 1e-6))
            gradients = [coefficient * g for g in gradients]
            gradients[0] += 0.01 * weight
            lr = 0.05 * (
                (step + 1) / (warmup + 1)
                if step < warmup
                else 0.5 * (1 + math.cos(math.pi * (step - warmup) / (50 - warmup)))
            )
            for k, (values, g) in enumerate(zip((weight, bias), gradients, strict=True)):
                velocity[k] = 0.9 * velocity[k] + g
                values -= lr * (velocity[k] if optimizer == "momentum" else g + 0.9 * velocity[k])
            step += 1
            if step == 50:
                break

    assert [row[4] for row in rows.step_rows] == pytest.approx(losses, rel=1e-12)
    assert [row[5] for row in rows.step_rows] == pytest.approx(norms, rel=1e-11)
    for ours, by_hand in zip(run.model.parameters(), (weight, bias), strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), by_hand, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "large"),
    [(64, 2, 128), (100, 3, 300), (1, 7, 7), (539, 2, 1078), (64, 17, 1079)],
    ids=["even", "uneven last update", "single examples", "two halves", "uneven micro-batch"],
)
def test_accumulation_equals_the_large_batch(batch_size: int, accumulate: int, large: int) -> None:
    steps = 2 * -(-1079 // large)
    common = ["dtype=float64", "optimizer=momentum", "lr=0.05", f"max_steps={steps}"]
    _, small_rows, small = train(*common, f"batch_size={batch_size}", f"accumulate={accumulate}")
    _, large_rows, one = train(*common, f"batch_size={large}")
    a, b = np.array(small_rows.step_rows, float), np.array(large_rows.step_rows, float)
    assert a.shape == b.shape
    np.testing.assert_array_equal(a[:, :3], b[:, :3])
    np.testing.assert_allclose(a[:, 4:6], b[:, 4:6], rtol=1e-10)
    for p, q in zip(small.model.parameters(), one.model.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-12)


def test_an_accumulated_update_weighs_by_examples_not_by_micro_batches() -> None:
    run = built("dtype=float64", "batch_size=64", "accumulate=17")
    parameters = run.objective.parameters
    (update,) = run.plan.epoch(run.data.train, run.config.seed, 0)
    assert [len(y) for _, y in update] == [64] * 16 + [55]
    before = [p.detach().clone() for p in parameters]
    loss = run.update.step(0, update, 0.0, None).loss
    whole = run.objective.loss(run.model(run.data.train.x), run.data.train.y)
    assert loss.item() == pytest.approx(whole.item(), rel=1e-12)
    assert all(torch.equal(p, q) for p, q in zip(parameters, before, strict=True))


def test_clipping_is_that_of_torch() -> None:
    torch.manual_seed(0)
    ours = [torch.randn(3, 4, dtype=torch.float64), torch.randn(5, dtype=torch.float64)]
    theirs = [torch.nn.Parameter(torch.zeros_like(g)) for g in ours]
    for p, g in zip(theirs, ours, strict=True):
        p.grad = g.clone()
    norm = gradient_norm(ours)
    coefficient = clip(ours, norm, 0.7)
    total = torch.nn.utils.clip_grad_norm_(theirs, 0.7)
    assert norm.item() == pytest.approx(total.item(), rel=1e-14)
    assert coefficient.item() == pytest.approx(0.7 / (total.item() + 1e-6), rel=1e-14)
    for p, g in zip(theirs, ours, strict=True):
        torch.testing.assert_close(p.grad, g, rtol=1e-14, atol=0)
    assert clip(ours, gradient_norm(ours), 100.0).item() == 1.0


@pytest.mark.parametrize("clip_norm", [None, 0.05])
def test_clipping_by_value_comes_first_and_is_torchs(clip_norm) -> None:
    """Three steps of SGD by hand, with torch's functions for both kinds of clipping."""
    common = ["optimizer=sgd", "optimizer.weight_decay=0.0", "schedule=constant", "lr=0.5"]
    common += ["batch_size=full", "max_steps=3", "dtype=float64"]
    both = ["clip_value=0.01", f"clip_norm={'null' if clip_norm is None else clip_norm}"]
    twin = built(*common)
    _, rows, run = train(*common, *both)
    x, y = twin.data.train
    for row in rows.step_rows:
        twin.model.zero_grad()
        twin.objective.loss(twin.model(x), y).backward()
        parameters = list(twin.model.parameters())
        before = torch.stack([p.grad.norm() for p in parameters]).norm()
        torch.nn.utils.clip_grad_value_(parameters, 0.01)
        if clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, clip_norm)
        after = torch.stack([p.grad.norm() for p in parameters]).norm()
        assert row[5] == pytest.approx(before.item(), rel=1e-12)
        assert row[6] == pytest.approx((after / before).item(), rel=1e-12)
        assert row[6] < 0.95
        with torch.no_grad():
            for p in parameters:
                p -= 0.5 * p.grad
    for p, q in zip(run.model.parameters(), twin.model.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-14)


def test_a_value_that_no_element_exceeds_changes_nothing() -> None:
    _, free, _ = train("max_steps=5")
    _, clipped, _ = train("max_steps=5", "clip_value=1e3")
    assert clipped.step_rows == free.step_rows


def test_grad_norm_is_logged_before_clipping() -> None:
    _, free, _ = train("max_steps=1")
    _, clipped, _ = train("max_steps=1", "clip_norm=0.01")
    (free_row,), (row,) = free.step_rows, clipped.step_rows
    assert row[5] == free_row[5] > 0.01
    assert row[6] == pytest.approx(0.01 / (row[5] + 1e-6), rel=1e-5)
    assert free_row[6] == 1.0


def test_loss_of_a_step_is_that_before_the_update() -> None:
    run = built("batch_size=full")
    first = run.objective.loss(run.model(run.data.train.x), run.data.train.y).item()
    rows = Rows()
    fit(run, rows, NoDisplay())
    assert rows.step_rows[0][4] == pytest.approx(first, rel=1e-5)
    assert rows.evaluations[0][6] == pytest.approx(first, rel=1e-5)


def test_batch_gradient_descent_and_pure_sgd_are_one_key_apart() -> None:
    assert built("batch_size=full").plan.steps_per_epoch == 1
    assert built("batch_size=1").plan.steps_per_epoch == 1079


def test_a_diverged_run_stops_at_that_step_and_keeps_its_curve() -> None:
    outcome, rows, _ = train("lr=1e6", "schedule=constant")
    assert outcome.status == DIVERGED
    assert outcome.reason is not None
    assert f"step {outcome.progress.step}" in outcome.reason
    assert [row[0] for row in rows.step_rows] == list(range(1, outcome.progress.step + 1))
    limit = 100 * rows.evaluations[0][6]
    assert all(row[4] <= limit for row in rows.step_rows[:-1])
    last = rows.step_rows[-1]
    assert not (last[4] <= limit and math.isfinite(last[5]))


def test_the_limit_of_the_loss_is_configured() -> None:
    """Mini-batches of a small step scatter around the initial loss, so a tight limit is passed."""
    common = ["lr=1e-6", "max_steps=40"]
    assert train(*common)[0].status == COMPLETED
    strict, rows, _ = train(*common, "limits.loss_factor=1.0001")
    assert strict.status == DIVERGED
    limit = 1.0001 * rows.evaluations[0][6]
    assert rows.step_rows[-1][4] > limit
    assert all(row[4] <= limit for row in rows.step_rows[:-1])


def test_a_loss_that_is_not_finite_at_initialisation_is_a_divergence() -> None:
    run = built()
    with torch.no_grad():
        next(iter(run.model.parameters())).fill_(math.nan)
    outcome = fit(run, Rows(), NoDisplay())
    assert (outcome.status, outcome.progress.step) == (DIVERGED, 0)


def test_frozen_parameters_are_left_alone() -> None:
    run = built("max_steps=5", "optimizer.weight_decay=0.5", "lr=0.1")
    first = next(iter(run.model.parameters()))
    before = first.detach().clone()
    first.requires_grad_(False)
    frozen = build_run(config_of("max_steps=5", "optimizer.weight_decay=0.5", "lr=0.1"), run.model)
    held = {id(p) for group in frozen.optimizer.param_groups for p in group["params"]}
    assert id(first) not in held
    assert fit(frozen, Rows(), NoDisplay()).status == COMPLETED
    assert torch.equal(first, before)


def test_two_optimizers_at_one_seed_see_the_same_start_and_the_same_batches() -> None:
    _, a, run_a = train("optimizer=sgd", "max_steps=1")
    _, b, run_b = train("optimizer=adamw", "max_steps=1")
    _, other, _ = train("optimizer=adamw", "max_steps=1", "seed=1")
    assert a.step_rows[0][4:6] == b.step_rows[0][4:6] != other.step_rows[0][4:6]
    assert a.evaluations[:2] == b.evaluations[:2]
    assert run_a.data.fingerprint == run_b.data.fingerprint


def test_bf16_autocasts_the_forward_pass_only() -> None:
    _, exact, _ = train("max_steps=20")
    outcome, rows, run = train("max_steps=20", "precision=bf16")
    assert outcome.status == COMPLETED
    assert all(p.dtype == torch.float32 for p in run.model.parameters())
    assert rows.step_rows[0][4] != exact.step_rows[0][4]
    assert rows.step_rows[-1][4] == pytest.approx(exact.step_rows[-1][4], rel=0.02)


def test_evaluation_is_weighted_by_examples() -> None:
    whole, _, _ = train("max_steps=3")
    parts, _, _ = train("max_steps=3", "eval.batch_size=100")
    assert parts.progress.val_loss == pytest.approx(whole.progress.val_loss, rel=1e-6)
    assert parts.progress.val_metric == whole.progress.val_metric


def test_rmse_is_in_the_units_of_the_target() -> None:
    outcome, _, run = train("dataset=diabetes", "model=linear", "epochs=3")
    with torch.no_grad():
        error = (run.model(run.data.val.x) - run.data.val.y) * run.data.target_scale
    assert outcome.progress.val_metric == pytest.approx(error.square().mean().sqrt().item())
    assert 40 < float(run.data.target_scale) < 120


@pytest.mark.parametrize(
    "path", sorted((conf_dir() / "optimizer").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_optimizer_lowers_the_loss_at_its_own_settings(path: Path) -> None:
    """In 100 steps of all examples, as rprop needs; so few that finite differences are quick."""
    small = ["dataset=wine", "model.hidden=[3]", "batch_size=full", "schedule=constant"]
    small += ["eval.every=100", "max_steps=100"]
    outcome, rows, _ = train(f"optimizer={path.stem}", *small)
    assert outcome.status == COMPLETED
    first, last = rows.evaluations[0], rows.evaluations[-2]
    assert (first[5], last[5], last[0]) == ("train", "train", 100)
    assert last[6] < 0.98 * first[6]


@pytest.mark.parametrize("examples", [10, 64, 65, 1079])
@pytest.mark.parametrize(("batch_size", "accumulate"), [(1, 1), (7, 1), (3, 3), (10, 1)])
def test_an_epoch_sees_every_example_once(examples: int, batch_size: int, accumulate: int) -> None:
    plan = BatchPlan.of(batch_size, accumulate, examples)
    x = torch.arange(examples)[:, None]
    updates = list(plan.epoch(Split(x, x[:, 0]), seed=3, epoch=2))
    assert len(updates) == plan.steps_per_epoch
    seen = torch.cat([y for update in updates for _, y in update])
    assert sorted(seen.tolist()) == list(range(examples))
    assert all(len(y) <= batch_size for update in updates for _, y in update)
    skipped = list(plan.epoch(Split(x, x[:, 0]), seed=3, epoch=2, skip=1))
    rest = torch.cat([y for update in skipped for _, y in update] or [torch.tensor([], dtype=int)])
    assert torch.equal(rest, seen[plan.effective_batch_size :])


@pytest.mark.parametrize("examples", [10, 64, 65, 1079])
@pytest.mark.parametrize(("batch_size", "accumulate"), [(1, 1), (7, 1), (3, 3), (10, 1), (4, 2)])
@pytest.mark.parametrize("last", ["drop", "merge"])
def test_the_last_batch_is_dropped_or_merged(
    examples: int, batch_size: int, accumulate: int, last: Any
) -> None:
    plan = BatchPlan.of(batch_size, accumulate, examples, last_batch=last)
    x = torch.arange(examples)[:, None]
    effective = batch_size * accumulate
    updates = list(plan.epoch(Split(x, x[:, 0]), seed=3, epoch=2))
    assert len(updates) == plan.steps_per_epoch == examples // effective
    sizes = {len(y) for update in updates for _, y in update}
    assert sizes == plan.sizes
    assert min(sizes) >= batch_size
    seen = torch.cat([y for update in updates for _, y in update])
    kept = torch.cat([y for u in BatchPlan.of(batch_size, accumulate, examples).epoch(
        Split(x, x[:, 0]), seed=3, epoch=2) for _, y in u])  # fmt: skip
    count = len(updates) * effective if last == "drop" else examples
    assert torch.equal(seen, kept[:count])
    for skip in range(min(3, len(updates))):
        rest = list(plan.epoch(Split(x, x[:, 0]), seed=3, epoch=2, skip=skip))
        assert [len(u) for u in rest] == [len(u) for u in updates[skip:]]


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    plan, x = BatchPlan.of(10, 1, 100), torch.arange(100)[:, None]

    def order(seed: int, epoch: int) -> list[int]:
        return [int(v) for ((_, y),) in plan.epoch(Split(x, x[:, 0]), seed, epoch) for v in y]

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(s, e)) for s in range(3) for e in range(3)}) == 9


def test_small_models_run_on_one_thread_and_large_ones_on_all() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert threads_for(built(), None) == 1
        assert threads_for(built("model.hidden=[2048,2048]", "batch_size=256"), None) == 2
        assert threads_for(built(), 2) == 2
    finally:
        torch.set_num_threads(before)


def test_lazy_layers_get_their_weights_from_the_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    def lazy(num_outputs: int) -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.LazyLinear(num_outputs))

    monkeypatch.setattr("sgdlab.models.linear.Linear", lazy)
    config = config_of("model=linear", "~model.bias")
    first, second = build_run(config), build_run(config)
    torch.rand(1)
    for p, q in zip(first.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(p, q)
    assert [len(g["params"]) for g in first.optimizer.param_groups] == [1, 1]
