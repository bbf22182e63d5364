"""Late gradients against the recursion written by hand."""

import pytest
import torch

from sgdlab.errors import InputError
from trainer_runs import built, config_of, train

PLAIN = ["model=linear", "optimizer=sgd", "dtype=float64", "schedule=constant", "lr=0.1"]
PLAIN += ["optimizer.weight_decay=0.0", "batch_size=128"]


def by_hand(delays: list[int], correct_lr: bool = False) -> tuple[list[float], list[torch.Tensor]]:
    run = built(*PLAIN)
    past = [[p.detach().clone() for p in run.model.parameters()]]
    losses, step = [], 0
    while step < len(delays):
        for ((x, y),) in run.plan.epoch(
            run.data.train, run.config.seed, step // run.plan.steps_per_epoch
        ):
            if step == len(delays):
                break
            delay = min(delays[step], step)

            def loss_at(weight, bias, x=x, y=y):
                return torch.nn.functional.cross_entropy(x.flatten(1) @ weight.T + bias, y)

            losses.append(float(loss_at(*past[-1])))
            old = [p.clone().requires_grad_() for p in past[-1 - delay]]
            gradients = torch.autograd.grad(loss_at(*old), old)
            lr = 0.1 / max(1, delay) if correct_lr else 0.1
            past.append([p - lr * g for p, g in zip(past[-1], gradients, strict=True)])
            step += 1
    return losses, past[-1]


@pytest.mark.parametrize("correct_lr", [False, True])
def test_a_fixed_delay(correct_lr: bool) -> None:
    settings = ["staleness.delay=3", f"staleness.correct_lr={correct_lr}", "max_steps=25"]
    outcome, rows, run = train(*PLAIN, *settings)
    losses, last = by_hand([3] * 25, correct_lr)
    assert [row[4] for row in rows.step_rows] == pytest.approx(losses, rel=1e-10)
    for p, q in zip(run.model.parameters(), last, strict=True):
        torch.testing.assert_close(p.detach(), q, rtol=0, atol=1e-12)
    assert outcome.progress.function_evaluations == 25
    used = [0.1 / max(1, min(3, step)) if correct_lr else 0.1 for step in range(25)]
    assert [row[3] for row in rows.step_rows] == pytest.approx(used, rel=1e-15)


def test_random_delays_are_bounded_repeatable_and_all_occur() -> None:
    settings = [*PLAIN, "staleness.delay=3", "staleness.random=true"]
    run = built(*settings)
    delays = [run.update._delay(step) for step in range(200)]
    assert set(delays) == {0, 1, 2, 3}
    assert min(delays.count(d) for d in range(4)) > 30
    _, rows, _ = train(*settings, "max_steps=30")
    losses, _ = by_hand(delays[:30])
    assert [row[4] for row in rows.step_rows] == pytest.approx(losses, rel=1e-10)


def test_the_loss_logged_leaves_dropout_and_statistics_alone() -> None:
    """A delay of one at the very first step is none: the same step as without."""
    settings = ["model.dropout=0.5", "model.batch_norm=true", "max_steps=1"]
    states = []
    for delay in (0, 1):
        torch.manual_seed(0)
        _, _, run = train(*settings, f"staleness.delay={delay}")
        states.append(run.model.state_dict().values())
    assert all(torch.equal(p, q) for p, q in zip(*states, strict=True))


def test_what_cannot_be_simulated_is_refused() -> None:
    with pytest.raises(InputError, match="one at a time"):
        config_of("staleness.delay=1", "local_sgd.workers=2")
    with pytest.raises(InputError, match=r"staleness.delay=-1: must be a whole number"):
        config_of("staleness.delay=-1")
