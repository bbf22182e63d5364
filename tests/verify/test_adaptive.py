import pytest
import torch
from broken_rules import assert_sound, change, experiments_of, failed

from sgdlab.scaling import SquareRoot
from sgdlab.verify import adam_limits, adaptive


@pytest.mark.parametrize(
    "experiment", experiments_of(adaptive, adam_limits), ids=lambda e: e.__name__
)
def test_theory_holds(experiment):
    assert_sound(list(experiment()))


def _without(monkeypatch, first: bool, second: bool) -> None:
    """Let Adam miss the correction of one of its averages."""

    class Broken(torch.optim.Adam):
        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                one, two = group["betas"]
                for p in group["params"]:
                    state = self.state[p]
                    if not state:
                        state.update(t=0, m=torch.zeros_like(p), v=torch.zeros_like(p))
                    state["t"] += 1
                    state["m"].lerp_(p.grad, 1 - one)
                    state["v"].lerp_(p.grad.square(), 1 - two)
                    m = state["m"] if first else state["m"] / (1 - one ** state["t"])
                    v = state["v"] if second else state["v"] / (1 - two ** state["t"])
                    p.sub_(group["lr"] * m / (v.sqrt() + group["eps"]))

    monkeypatch.setattr(torch.optim, "Adam", Broken)


def test_adam_by_hand_is_sound(monkeypatch):
    _without(monkeypatch, first=False, second=False)
    assert failed(adaptive.adam) | failed(adaptive.huge_eps) == set()


def test_missing_correction_of_the_first_moment(monkeypatch):
    _without(monkeypatch, first=True, second=False)
    assert failed(adaptive.adam) == {"15"}
    assert failed(adaptive.huge_eps) == {"18"}


def test_missing_correction_of_the_second_moment(monkeypatch):
    _without(monkeypatch, first=False, second=True)
    assert failed(adaptive.adam) == {"15"}


def test_an_eps_that_stays(monkeypatch):
    change(monkeypatch, "Adam", eps=lambda eps: eps or 1e-8)
    assert failed(adaptive.adam) == {"15"}
    assert failed(adaptive.scale_free) == {"17"}


def test_decay_of_the_wrong_kind(monkeypatch):
    monkeypatch.setattr(torch.optim, "AdamW", torch.optim.Adam)
    assert failed(adaptive.decay_only) == {"16a"}


def test_decay_not_through_the_moments(monkeypatch):
    change(monkeypatch, "Adam", decoupled_weight_decay=True)
    assert failed(adaptive.decay_only) == {"16b", "16c", "16d"}


def test_wrong_sign(monkeypatch):
    change(monkeypatch, "Adam", maximize=True)
    assert failed(adam_limits.reddi) == {"19a", "19b"}


def test_adagrad_that_forgets(monkeypatch):
    change(monkeypatch, "Adagrad", lr_decay=0.001)
    assert failed(adaptive.adagrad) == {"13"}


def test_rmsprop_with_adams_correction(monkeypatch):
    change(monkeypatch, "RMSprop", alpha=0.0)
    assert failed(adaptive.rmsprop) == {"14a", "14b"}


def test_amsgrad_that_forgets(monkeypatch):
    change(monkeypatch, "Adam", amsgrad=False)
    assert failed(adam_limits.reddi) == {"19b"}


def test_beta_off_by_a_thousandth(monkeypatch):
    smaller = {"betas": lambda betas: (0.999 * betas[0], betas[1])}
    change(monkeypatch, "Adam", **smaller)
    change(monkeypatch, "NAdam", **smaller)
    assert failed(adam_limits.frozen) == {"36a", "36b"}


@pytest.mark.slow
def test_scaling_by_the_wrong_rule(monkeypatch):
    monkeypatch.setattr(SquareRoot, "rule", lambda self, lr, _: lr)
    assert failed(adam_limits.batch_scaling) == {"21b"}
