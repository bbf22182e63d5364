"""Optimizers that evaluate the function themselves, against torch by hand."""

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sgdlab.datasets.base import Split
from sgdlab.steps.closure import ClosureUpdate
from sgdlab.steps.criterion import Criterion
from sgdlab.steps.objective import Objective
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.loop import fit
from trainer_runs import Rows, built, train

LBFGS = [
    "optimizer=lbfgs",
    "optimizer.max_iter=4",
    "optimizer.history_size=100",
    "optimizer.line_search_fn=null",
    "lr=0.5",
]
LBFGS += ["model=linear", "dtype=float64", "schedule=constant", "batch_size=full"]


class Probe(Optimizer):
    """Evaluates the loss, then the gradient twice, and does not move."""

    def __init__(self, params: list[Tensor]) -> None:
        super().__init__(params, {"lr": 0.1})
        self.seen: list[float] = []

    def step(self, closure) -> None:  # type: ignore[override]
        self.seen.append(float(closure(gradient=False)))
        self.seen.append(float(closure()))
        self.seen.append(float(closure()))


def test_lbfgs_agrees_with_torch_by_hand() -> None:
    run, rows = built(*LBFGS, "max_steps=5"), Rows()
    model = nn.Linear(64, 10).double()
    with torch.no_grad():
        for ours, theirs in zip(run.model.parameters(), model.parameters(), strict=True):
            theirs.copy_(ours)
    x, y = run.data.train
    theirs = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4)
    evaluations = 0

    def closure() -> Tensor:
        nonlocal evaluations
        evaluations += 1
        theirs.zero_grad()
        loss = nn.functional.cross_entropy(model(x.flatten(1)), y)
        loss.backward()
        return loss

    losses = [float(theirs.step(closure).detach()) for _ in range(5)]
    outcome = fit(run, rows, NoDisplay())
    assert [row[4] for row in rows.step_rows] == pytest.approx(losses, rel=1e-9)
    assert outcome.progress.gradient_evaluations == evaluations > 5
    assert outcome.progress.function_evaluations == evaluations
    for p, q in zip(run.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-8, atol=1e-10)


def test_plain_optimizers_evaluate_once_a_step() -> None:
    outcome, _, _ = train("max_steps=7", "accumulate=2")
    progress = outcome.progress
    assert (progress.function_evaluations, progress.gradient_evaluations) == (7, 7)


def probing(model: nn.Module, clip_norm: float | None = None) -> tuple[ClosureUpdate, Probe]:
    parameters = list(model.parameters())
    objective = Objective(
        model, Criterion(nn.functional.mse_loss), parameters, clip_norm, half=None
    )
    probe = Probe(parameters)
    return ClosureUpdate(objective, probe), probe


def test_all_evaluations_of_a_step_see_one_dropout_mask_and_move_the_statistics_once() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.5), nn.Linear(16, 1))
    update, probe = probing(model)
    batch = [Split(torch.randn(32, 8), torch.randn(32, 1))]
    update.step(0, batch, 0.1, None)
    assert probe.seen[0] == probe.seen[1] == probe.seen[2]
    assert model[1].num_batches_tracked == 1
    update.step(1, batch, 0.1, None)
    assert probe.seen[3] != probe.seen[0]
    assert model[1].num_batches_tracked == 2
    assert update.objective.evaluations() == (6, 4)


def test_each_gradient_is_clipped_and_the_first_one_is_logged() -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    update, _ = probing(model, clip_norm=1e-3)
    x, y = torch.randn(16, 4), torch.randn(16, 1)
    values = update.step(0, [Split(x, y)], 0.1, None)
    gradients = torch.autograd.grad(nn.functional.mse_loss(model(x), y), list(model.parameters()))
    norm = torch.cat([g.reshape(-1) for g in gradients]).norm()
    torch.testing.assert_close(values.grad_norm, norm)
    torch.testing.assert_close(values.clip_coef, 1e-3 / (norm + 1e-6))
