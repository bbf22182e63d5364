"""A broken rule must turn its row red: optimizers, steps, schedules, estimators of the later rows.

The rows of descent, noise and adaptive optimizers are broken in their own tests.
"""

import itertools

import pytest
import torch
from broken_rules import change
from mutations import first_failed, mutate

from sgdlab.averaging import Polyak
from sgdlab.verify import convergence, equivalence, estimators, parallel, robbins_monro
from sgdlab.verify.catalogue import row_of

SLOW = pytest.mark.slow

_OPTIMIZERS = "sgdlab.optimizers"

OWN = [
    # What is broken, the text, its replacement, the experiment, the row that must be off.
    pytest.param(
        "keras_sgd.KerasSGD",
        "mul_(momentum).sub_(g",
        "mul_(momentum).add_(g",
        equivalence.heavy_ball_forms,
        "24",
        id="keras: sign",
    ),
    pytest.param(
        "keras_sgd.KerasSGD",
        "mul_(momentum).sub_",
        "mul_(0.999 * momentum).sub_",
        equivalence.heavy_ball_forms,
        "24",
        id="keras: momentum",
        marks=SLOW,
    ),
    pytest.param(
        "nesterov_lookahead.NesterovLookahead",
        'alpha=group["lr"] * group["momentum"]',
        "alpha=0.0",
        equivalence.nesterov_forms,
        "23",
        id="lookahead: gradient at w",
    ),
    pytest.param(
        "nesterov_lookahead.NesterovLookahead",
        'p.sub_(v, alpha=group["lr"])',
        'p.add_(v, alpha=group["lr"])',
        equivalence.nesterov_forms,
        "23",
        id="lookahead: sign",
        marks=SLOW,
    ),
    pytest.param(
        "nesterov_lookahead.NesterovLookahead",
        'g.add(p, alpha=group["weight_decay"])',
        'g.add(kept[p], alpha=group["weight_decay"])',
        equivalence.nesterov_forms,
        "23",
        id="lookahead: decay at w",
        marks=SLOW,
    ),
    pytest.param(
        "swats.SWATS", ".mul_(-rate)", ".mul_(rate)", equivalence.swats, "20", id="swats: sign"
    ),
    pytest.param(
        "swats.SWATS",
        "rate = square / -product",
        "rate = -product / square",
        equivalence.swats,
        "20",
        id="swats: criterion",
        marks=SLOW,
    ),
    pytest.param(
        "swats.SWATS",
        'common["rate_average"] / (1 - beta2**k)',
        'common["rate_average"]',
        equivalence.swats,
        "20",
        id="swats: correction",
    ),
    pytest.param(
        "kiefer_wolfowitz.KieferWolfowitz",
        "(2 * width)",
        "width",
        equivalence.kiefer_wolfowitz,
        "29",
        id="kiefer-wolfowitz: width",
        marks=SLOW,
    ),
    pytest.param(
        "kiefer_wolfowitz.KieferWolfowitz",
        "p.sub_(p.grad",
        "p.add_(p.grad",
        equivalence.kiefer_wolfowitz,
        "29",
        id="kiefer-wolfowitz: sign",
    ),
]


@pytest.mark.parametrize(("name", "old", "new", "experiment", "row"), OWN)
def test_own_optimizer(monkeypatch, name, old, new, experiment, row):
    mutate(monkeypatch, f"{_OPTIMIZERS}.{name}", old, new)
    assert row_of(first_failed(experiment) or "none") == row


TORCHS = [
    pytest.param("SGD", {"nesterov": False}, equivalence.nesterov_forms, "23a", id="no nesterov"),
    pytest.param(
        "SGD", {"momentum": lambda m: 0.999 * m}, equivalence.heavy_ball_forms, "24a", id="momentum"
    ),
    pytest.param(
        "SGD", {"maximize": True}, equivalence.heavy_ball_forms, "24a", id="sign", marks=SLOW
    ),
    pytest.param(
        "SGD",
        {"weight_decay": lambda d: d / 2},
        equivalence.penalty_and_decay,
        "35a",
        id="half the decay",
    ),
    pytest.param(
        "Adam",
        {"decoupled_weight_decay": True},
        equivalence.penalty_and_decay,
        "35c",
        id="adam with adamw's decay",
        marks=SLOW,
    ),
]


@pytest.mark.parametrize(("name", "changes", "experiment", "row"), TORCHS)
def test_torchs_optimizer(monkeypatch, name, changes, experiment, row):
    change(monkeypatch, name, **changes)
    assert first_failed(experiment) == row


@pytest.mark.slow
def test_adamw_with_adams_decay(monkeypatch):
    monkeypatch.setattr(torch.optim, "AdamW", torch.optim.Adam)
    assert first_failed(equivalence.penalty_and_decay) == "35e"


def test_decay_mode_with_the_wrong_sign(monkeypatch):
    mutate(
        monkeypatch, "sgdlab.optimizers.decay.use_decay_mode", "1 - factor * decay",
        "1 + factor * decay", used_in="sgdlab.training.build_optimizer",
    )  # fmt: skip
    assert first_failed(equivalence.penalty_and_decay) == "35b"


MECHANISMS = [
    pytest.param(
        "sgdlab.steps.stale.StaleUpdate",
        "min(self._delay(step), len",
        "min(self._delay(step) - 1, len",
        "sgdlab.steps.choose",
        parallel.staleness,
        "26",
        id="gradients a step fresher",
    ),
    pytest.param(
        "sgdlab.steps.local.LocalUpdate",
        "replica.examples / total for",
        "1 / len(self._replicas) for",
        "sgdlab.steps.choose",
        parallel.synchronous,
        "27",
        id="workers weighted alike",
        marks=SLOW,
    ),
    pytest.param(
        "sgdlab.steps.local.LocalUpdate",
        "self._average_states()",
        "pass",
        "sgdlab.steps.choose",
        parallel.local,
        "28",
        id="velocities not averaged",
    ),
    pytest.param(
        "sgdlab.steps.objective.Objective",
        "loss = loss * share",
        "loss = loss / len(update)",
        "sgdlab.training.build",
        parallel.synchronous,
        "27",
        id="micro-batches weighted alike",
    ),
    pytest.param(
        "sgdlab.steps.batches.BatchPlan",
        "randperm(self.examples,",
        "randint(self.examples, (self.examples,),",
        "sgdlab.training.length",
        estimators.mini_batches,
        "34",
        id="batches with replacement",
        marks=SLOW,
    ),
    pytest.param(
        "sgdlab.schedules.inverse_time.InverseTime",
        "scale / (scale + step)",
        "(scale / (scale + step)) ** 1.1",
        None,
        robbins_monro.step_sizes,
        "25",
        id="steps that sum to a finite value",
    ),
    pytest.param(
        "sgdlab.schedules.inverse_sqrt.InverseSqrt",
        "math.sqrt(super()",
        "float(super()",
        None,
        robbins_monro.step_sizes,
        "25",
        id="1/t for 1/√t",
        marks=SLOW,
    ),
    pytest.param(
        "sgdlab.analysis.budget.expected_best",
        "(n - k - place) / (n - 1 - place)",
        "(n - k - place) / (n - place)",
        "sgdlab.verify.estimators",
        estimators.best_of_k,
        "30",
        id="best of k",
    ),
    pytest.param(
        "sgdlab.verify.estimators.two_batches",
        "square += trace / examples",
        "square -= trace / examples",
        None,
        estimators.noise_scale,
        "22",
        id="noise scale: correction",
        marks=SLOW,
    ),
]


@pytest.mark.parametrize(("target", "old", "new", "used_in", "experiment", "row"), MECHANISMS)
def test_mechanism(monkeypatch, target, old, new, used_in, experiment, row):
    mutate(monkeypatch, target, old, new, used_in)
    assert row_of(first_failed(experiment) or "none") == row


def test_average_of_the_last_half(monkeypatch):
    monkeypatch.setattr(Polyak, "due", lambda self, step, total, per_epoch: step > total / 2)
    failing = [c for c in itertools.islice(convergence.ridge(), 4) if not c.passed]
    assert [c.experiment for c in failing] == ["batch, constant, averaged: gap as logged"]


def test_wrong_optimum_of_a_problem(monkeypatch):
    monkeypatch.setattr(convergence, "L2", 0.11)  # datasets of known settings are kept
    mutate(
        monkeypatch, "sgdlab.datasets.least_squares.least_squares",
        "penalty * (w @ w))\n\n    smooth", "1.01 * penalty * (w @ w))\n\n    smooth",
    )  # fmt: skip
    assert first_failed(convergence.ridge) == "ridge"
