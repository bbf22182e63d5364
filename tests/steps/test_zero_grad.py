"""Gradients that are never zeroed add up, whatever the optimizer writes into them."""

import pytest
import torch

from trainer_runs import built


@pytest.mark.parametrize("foreach", [False, True])
def test_a_step_applies_the_sum_of_all_gradients_so_far(foreach: bool) -> None:
    """torch's foreach Nesterov adds the momentum to ``p.grad``, its loop over tensors does not."""
    settings = ["model=linear", "dtype=float64", "optimizer=nesterov", "optimizer.weight_decay=0"]
    run = built(*settings, f"optimizer.foreach={foreach}", "zero_grad=false")
    parameters = list(run.model.parameters())
    weights = [p.detach().clone() for p in parameters]
    sums = [torch.zeros_like(p) for p in weights]
    velocities = [torch.zeros_like(p) for p in weights]
    updates = run.plan.epoch(run.data.train, run.config.seed, 0)
    for step in range(4):
        ((x, y),) = update = next(updates)
        run.update.step(step, update, 0.05, None)
        leaves = [w.clone().requires_grad_() for w in weights]
        loss = torch.nn.functional.cross_entropy(x.flatten(1) @ leaves[0].T + leaves[1], y)
        gradients = torch.autograd.grad(loss, leaves)
        sums = [total + g for total, g in zip(sums, gradients, strict=True)]
        velocities = [0.9 * v + total for v, total in zip(velocities, sums, strict=True)]
        weights = [
            w - 0.05 * (total + 0.9 * v)
            for w, total, v in zip(weights, sums, velocities, strict=True)
        ]
    for p, w in zip(parameters, weights, strict=True):
        torch.testing.assert_close(p.detach(), w, rtol=0, atol=1e-12)
