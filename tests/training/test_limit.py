"""When a run has diverged: against its start, and against a constant prediction."""

import math

import pytest
import torch
from finetuned import blobs, finetuned
from torch import nn
from torch.nn import functional as F

from sgdlab.datasets.base import Split
from sgdlab.results import COMPLETED, DIVERGED
from sgdlab.steps.criterion import Criterion
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.limit import constant_loss, loss_limit
from sgdlab.training.loop import fit
from trainer_runs import Rows, built, config_of

Y = torch.arange(300) % 3
COUNTS = torch.arange(300.0) % 7


def constant_of(loss, y, width=3, head=None):
    """Return the loss of a constant for a linear model whose outputs average to 0."""
    torch.manual_seed(0)
    linear = nn.Linear(4, width)
    model = nn.Sequential(linear, head) if head else linear
    return constant_loss(model, Criterion(loss), Split(torch.randn(len(y), 4), y), 1000)


@pytest.mark.parametrize(
    ("loss", "y", "width", "expected"),
    [
        (F.cross_entropy, Y, 3, math.log(3)),
        (lambda o, y: F.cross_entropy(o, y, reduction="sum"), Y, 3, 300 * math.log(3)),
        (lambda o, y: F.mse_loss(o[:, 0], y), COUNTS, 1, COUNTS.square().mean().item()),
        (lambda o, y: F.poisson_nll_loss(o[:, 0], y), COUNTS, 1, 1.0),
        (lambda o, y: F.binary_cross_entropy_with_logits(o[:, 0], y), Y / 2, 1, math.log(2)),
    ],
    ids=["cross_entropy", "sum", "squares", "poisson", "one_logit"],
)
def test_the_loss_of_a_constant_is_that_of_outputs_of_zero(loss, y, width, expected):
    assert constant_of(loss, y, width) == pytest.approx(expected, rel=1e-6)


def test_where_zero_is_no_prediction_it_is_that_of_the_mean_output():
    """Log-probabilities: at zero the loss would be 0; the mean of the outputs is about log k."""
    found = constant_of(F.nll_loss, Y, head=nn.LogSoftmax(1))
    assert found == pytest.approx(math.log(3), rel=0.2)


def test_a_loss_that_takes_no_such_output_has_no_constant():
    def picky(output, y):
        assert output.std() > 0
        return output.mean()

    assert constant_of(picky, Y) == 0.0


def test_the_model_and_the_random_state_are_left_as_they_were():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    split = Split(torch.randn(300, 4), Y)
    state = torch.get_rng_state()
    noisy = lambda o, y: F.cross_entropy(o + torch.randn_like(o), y)  # noqa: E731
    assert constant_loss(model, Criterion(noisy), split, 100) > 0
    assert torch.equal(state, torch.get_rng_state())
    assert model.training
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("initial", "constant", "limit"),
    [
        (2.3, 2.3, 230.0),  # a random start
        (2.0, 2.3, 200.0),  # one that is a little better by chance
        (6e-6, 0.7, 35.0),  # one that is trained
        (0.0, 0.7, 35.0),
        (-3.0, 1.0, 300.0),  # a loss that can be negative
        (-3.0, 0.0, math.inf),  # a test problem
        (5.0, 0.0, 500.0),
    ],
)
def test_the_limit(initial, constant, limit):
    assert loss_limit(100.0, initial, constant) == pytest.approx(limit)
    assert loss_limit(None, initial, constant) == math.inf


@pytest.mark.parametrize("dataset", ["digits", "wine", "breast_cancer", "diabetes", "moons"])
@pytest.mark.parametrize("model", ["mlp", "linear"])
def test_the_limit_of_shipped_runs_is_what_it_was(dataset, model):
    run = built(f"dataset={dataset}", f"model={model}", "max_steps=1")
    outcome = fit(run, Rows(), NoDisplay())
    at = outcome.progress
    assert at.constant_loss > 0
    assert loss_limit(100.0, at.initial_loss, at.constant_loss) == 100.0 * at.initial_loss


def finetune(name, lr=None, decay=None):
    """Return the outcome of five epochs from weights whose loss is near its least."""
    loss, scale, own_lr, own_decay, head = CASES[name]
    run = built(
        "dataset=moons", "model=linear", "optimizer=sgd", "schedule.warmup_epochs=0",
        f"optimizer.weight_decay={decay or own_decay}", f"lr={lr or own_lr}", "dtype=float64",
    )  # fmt: skip
    return fit(finetuned(run, loss, blobs(), scale, head), Rows(), NoDisplay())


def squares(output, y):
    return F.mse_loss(output, 2.0 * F.one_hot(y, 2) - 1)


CASES = {
    "cross_entropy": (F.cross_entropy, 6.0, 3.0, 0.05, None),
    "log_probabilities": (F.nll_loss, 6.0, 3.0, 0.05, nn.LogSoftmax(1)),
    "squares": (squares, 0.2, 0.02, 2.0, None),
}


@pytest.mark.parametrize("name", CASES)
def test_a_trained_start_is_no_yardstick(name):
    outcome = finetune(name)
    at = outcome.progress
    assert (outcome.status, outcome.reason) == (COMPLETED, None)
    assert at.train_loss > 100 * at.initial_loss
    assert at.train_loss < at.constant_loss


@pytest.mark.parametrize("name", CASES)
def test_what_really_diverges_from_there_is_caught(name):
    outcome = finetune(name, lr=1e3, decay=0.5)
    assert outcome.status == DIVERGED


def test_both_engines_have_one_limit_to_the_bit():
    from sgdlab.config.job import Job
    from sgdlab.stacked.group import StackPlanner

    overrides = ("dataset=wine", "model=mlp", "loss=mse", "max_steps=1")
    run = built(*overrides)
    at = fit(run, Rows(), NoDisplay()).progress
    ((group,), _) = StackPlanner().of([Job(config_of(*overrides), "r", None)])
    assert group.constant_loss == at.constant_loss
