"""Local SGD against synchronous SGD and against workers written by hand."""

import pytest
import torch

from sgdlab.errors import InputError
from sgdlab.training.build import build_run
from trainer_runs import built, config_of, train

PLAIN = ["model=linear", "dtype=float64", "schedule=constant", "lr=0.05"]


def final(*overrides: str) -> tuple[list[tuple], list[torch.Tensor]]:
    _, rows, run = train(*PLAIN, *overrides)
    return rows.step_rows, [p.detach() for p in run.model.parameters()]


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov"])
def test_one_local_step_is_synchronous_sgd_the_smaller_last_batch_included(optimizer: str) -> None:
    """1,079 examples: the last update of an epoch has 55 or 23 for four workers of 16."""
    settings = [f"optimizer={optimizer}", "epochs=2"]
    rows, local = final(*settings, "local_sgd.workers=4", "batch_size=16")
    expected, synchronous = final(*settings, "batch_size=64")
    assert len(rows) == len(expected)
    for got, row in zip(rows, expected, strict=True):
        assert got[:4] == row[:4]
        assert got[4:6] == pytest.approx(row[4:6], rel=1e-10)
    for p, q in zip(local, synchronous, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-12)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
def test_workers_deal_out_an_update_that_the_rest_was_merged_with(optimizer: str) -> None:
    """1,079 = 16·64 + 55 examples: the last update has 119, which are seven micro-batches."""
    settings = [f"optimizer={optimizer}", "epochs=2", "last_batch=merge"]
    rows, local = final(*settings, "local_sgd.workers=4", "batch_size=16")
    expected, synchronous = final(*settings, "batch_size=64")
    for got, row in zip(rows, expected, strict=True):
        assert got[:4] == row[:4]
        assert got[4:6] == pytest.approx(row[4:6], rel=1e-10)
    for p, q in zip(local, synchronous, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-12)


def test_synchronous_steps_before_are_those_of_the_large_batch_whatever_the_optimizer() -> None:
    """Averaged states of AdamW are not that: the square of a mean is no mean of squares."""
    settings = ["optimizer=adamw", "epochs=2", "clip_norm=0.1"]
    workers = ["local_sgd.workers=4", "local_sgd.steps=3", "batch_size=16"]
    rows, local = final(*settings, *workers, "local_sgd.start=34")
    expected, synchronous = final(*settings, "batch_size=64")
    assert len(rows) == len(expected) == 34
    for got, row in zip(rows, expected, strict=True):
        assert got[:4] == row[:4]
        assert got[4:7] == pytest.approx(row[4:7], rel=1e-10)
    for p, q in zip(local, synchronous, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-12)
    apart, _ = final(*settings, *workers, "local_sgd.start=5")
    assert [row[4:7] for row in apart[:5]] == [row[4:7] for row in rows[:5]]
    assert apart[7][4] != pytest.approx(rows[7][4], rel=1e-6)


class DecaysTheGradient(torch.optim.SGD):
    """SGD that adds its decay to ``p.grad`` itself."""

    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad.add_(p.detach(), alpha=0.1)
        return super().step(closure)


@pytest.mark.parametrize("optimizer", ["nesterov", "momentum"])
def test_workers_step_by_one_gradient_though_the_optimizer_writes_into_it(optimizer: str) -> None:
    """torch's foreach Nesterov adds the momentum to ``p.grad``; decay in place is a user's."""
    settings = [f"optimizer={optimizer}", "optimizer.weight_decay=0", "optimizer.foreach=true"]
    run = built(*PLAIN, *settings, "local_sgd.workers=3", "local_sgd.start=4", "batch_size=16")
    one = built(*PLAIN, *settings, "batch_size=48")
    for each in (run, one):
        if optimizer == "momentum":
            groups = each.optimizer.param_groups
            each.update.optimizer = DecaysTheGradient(groups, lr=0.05, momentum=0.9)
        updates = each.plan.epoch(each.data.train, each.config.seed, 0)
        for step in range(4):
            each.update.step(step, next(updates), 0.05, None)
    for replica in run.update._replicas:
        for own, p in zip(replica.parameters, one.model.parameters(), strict=True):
            torch.testing.assert_close(own, p.detach(), rtol=0, atol=1e-12)
    for own, other in zip(*(r.parameters for r in run.update._replicas[:2]), strict=True):
        assert torch.equal(own, other)


def test_several_local_steps_are_those_of_workers_on_their_own() -> None:
    settings = ["optimizer=momentum", "batch_size=16", "max_steps=12"]
    _, local = final(*settings, "local_sgd.workers=3", "local_sgd.steps=4")
    run = built(*PLAIN, *settings, "local_sgd.workers=3")
    shapes = [p.shape for p in run.model.parameters()]
    start = [p.detach().clone() for p in run.model.parameters()]
    workers = [[p.clone() for p in start] for _ in range(3)]
    velocity = [[torch.zeros(s, dtype=torch.float64) for s in shapes] for _ in range(3)]
    updates = run.plan.epoch(run.data.train, run.config.seed, 0)
    for step in range(12):
        for k, (x, y) in enumerate(next(updates)):
            weights = [p.clone().requires_grad_() for p in workers[k]]
            logits = x.flatten(1) @ weights[0].T + weights[1]
            gradients = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, y), weights)
            decayed = [gradients[0] + 1e-4 * workers[k][0], gradients[1]]
            velocity[k] = [0.9 * v + g for v, g in zip(velocity[k], decayed, strict=True)]
            workers[k] = [p - 0.05 * v for p, v in zip(workers[k], velocity[k], strict=True)]
        if step % 4 == 3:
            for held in (workers, velocity):
                mean = [sum(values) / 3 for values in zip(*held, strict=True)]
                held[:] = [[t.clone() for t in mean] for _ in range(3)]
    for p, q in zip(local, workers[0], strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-12)


def test_evaluation_in_mid_round_sees_the_average_and_does_not_disturb_the_workers() -> None:
    settings = ["optimizer=momentum", "batch_size=64", "epochs=6", "local_sgd.workers=4"]
    settings += ["local_sgd.steps=3"]  # epochs have five steps: rounds end in mid-epoch
    often, p = final(*settings)
    seldom, q = final(*settings, "eval.every=100")
    assert often == seldom
    assert all(torch.equal(a, b) for a, b in zip(p, q, strict=True))
    _, rows, _ = train(*PLAIN, *settings)
    losses = [row[6] for row in rows.evaluations if row[5] == "train"]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.5 * losses[0]


class WithScalar(torch.nn.Module):
    """A linear model times a learnable scalar."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = torch.nn.Linear(64, 10)
        self.scale = torch.nn.Parameter(torch.tensor(1.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * self.inner(x.flatten(1))


def test_a_scalar_parameter_is_averaged_like_any_other() -> None:
    found = []
    for settings in (["batch_size=32", "local_sgd.workers=2"], ["batch_size=64"]):
        torch.manual_seed(0)
        run = build_run(config_of(*PLAIN, *settings, "optimizer=momentum"), WithScalar().double())
        updates = run.plan.epoch(run.data.train, 0, 0)
        for step in range(8):
            run.update.step(step, next(updates), 0.05, None)
        found.append(run.model.scale.detach())
    torch.testing.assert_close(*found, rtol=0, atol=1e-13)


def test_the_effective_batch_counts_the_workers() -> None:
    run = built("local_sgd.workers=4", "batch_size=16", "accumulate=2")
    assert run.plan.effective_batch_size == 128
    assert run.plan.steps_per_epoch == 9


def test_too_many_workers_are_refused() -> None:
    with pytest.raises(InputError, match=r"local_sgd.workers=100: .* only 17 micro-batches of 64"):
        built("local_sgd.workers=100")
