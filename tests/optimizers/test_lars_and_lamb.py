"""LARS and LAMB against their papers' equations in NumPy, and against pytorch-optimizer."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from given_gradients import assert_same, gradients, run, weights

from sgdlab.errors import InputError
from sgdlab.optimizers.lamb import LAMB
from sgdlab.optimizers.lars import LARS

GIVEN = gradients(100)


def falling(step: int) -> float:
    return 2.0 / (1 + step // 20)


def norm(values: np.ndarray) -> float:
    return math.sqrt(float((values**2).sum()))


def lars_by_hand(
    rates: Callable[[int], float],
    *,
    torch_form: bool,
    nesterov: bool,
    exclude: bool,
    decay: float,
    eps: float,
) -> list[np.ndarray]:
    ws = [p.detach().numpy().copy() for p in weights()]
    vs = [np.zeros_like(w) for w in ws]
    for step, gs in enumerate(GIVEN):
        lr = rates(step)
        for k, g in enumerate(g.numpy() for g in gs):
            w = ws[k]
            own_decay = decay if w.ndim > 1 else 0.0
            local = 0.02 * norm(w) / (norm(g) + own_decay * norm(w) + eps)
            if w.ndim <= 1 and exclude:
                local = 1.0
            if torch_form:
                d = local * (g + own_decay * w)
                vs[k] = 0.9 * vs[k] + d
                ws[k] = w - lr * (d + 0.9 * vs[k] if nesterov else vs[k])
            else:
                d = lr * local * (g + own_decay * w)
                vs[k] = 0.9 * vs[k] + d
                ws[k] = w - (d + 0.9 * vs[k] if nesterov else vs[k])
    return ws


@pytest.mark.parametrize("torch_form", [False, True])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("exclude", [False, True])
def test_lars_is_the_papers_equation(torch_form: bool, nesterov: bool, exclude: bool) -> None:
    settings = {
        "momentum": 0.9,
        "weight_decay": 0.1,
        "trust_coefficient": 0.02,
        "eps": 0.05,
        "nesterov": nesterov,
        "lr_in_velocity": not torch_form,
        "exclude_bias_and_norm": exclude,
    }
    ours = run(LARS, settings, GIVEN, falling, weight_decay=0.0)
    form = {"torch_form": torch_form, "nesterov": nesterov, "exclude": exclude}
    assert_same(ours, lars_by_hand(falling, **form, decay=0.1, eps=0.05))


def test_lars_forms_of_momentum_differ_only_when_the_rate_changes() -> None:
    forms = {}
    for name, rates in (("constant", lambda _: 0.7), ("falling", falling)):
        both = [run(LARS, {"lr_in_velocity": flag}, GIVEN, rates) for flag in (True, False)]
        forms[name] = max(np.abs(a - b).max() for a, b in zip(*both, strict=True))
    assert forms["constant"] < 1e-12
    assert forms["falling"] > 1e-3


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.01])
def test_lars_agrees_with_pytorch_optimizer(nesterov: bool, decay: float) -> None:
    """At settings where the definitions meet.

    Theirs has torch's form of momentum, no eps, never decays a tensor with ndim <= 1 (so ours gets
    a group without decay), and for a zero gradient takes trust_coefficient / decay where ours takes
    1 (no gradient is zero here).
    """
    package = pytest.importorskip("pytorch_optimizer", reason="extra more-optimizers")
    common = {"lr": 0.5, "momentum": 0.9, "weight_decay": decay, "trust_coefficient": 0.05}
    theirs = run(package.LARS, {**common, "nesterov": nesterov}, GIVEN)
    form = {"eps": 0.0, "lr_in_velocity": False, "nesterov": nesterov}
    ours = run(LARS, {**common, **form}, GIVEN, weight_decay=0.0)
    assert_same(ours, theirs)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_a_lars_step_is_a_share_of_the_weights_whatever_the_scale_of_the_loss(scale: float) -> None:
    p = torch.full((3, 4), 2.0, dtype=torch.float64, requires_grad=True)
    before = p.detach().clone()
    p.grad = scale * torch.randn(3, 4, dtype=torch.float64)
    LARS([p], lr=0.5, weight_decay=0.0, trust_coefficient=0.1, eps=0.0).step()
    moved = (p.detach() - before).norm() / before.norm()
    assert moved.item() == pytest.approx(0.5 * 0.1, rel=1e-12)


@pytest.mark.parametrize("cls", [LARS, LAMB])
@pytest.mark.parametrize("which", ["weights", "gradient"])
def test_the_ratio_is_one_where_a_norm_is_zero(cls: type, which: str) -> None:
    decay = 0.25
    p = torch.full((3, 4), 0.0 if which == "weights" else 2.0, requires_grad=True)
    p.grad = torch.full((3, 4), 3.0 if which == "weights" else 0.0)
    cls([p], lr=0.1, weight_decay=decay if cls is LARS else 0.0).step()
    if which == "gradient":
        # LAMB's update is zero; LARS's is plain decay.
        expected = 2.0 * (1 - 0.1 * decay) if cls is LARS else 2.0
    else:
        expected = -0.1 * (3.0 if cls is LARS else 1.0)
    torch.testing.assert_close(p.detach(), torch.full((3, 4), expected))


def lamb_by_hand(
    *, corrected: bool, exclude: bool, low: float, high: float, decay: float, eps: float
) -> list[np.ndarray]:
    ws = [p.detach().numpy().copy() for p in weights()]
    ms, ss = [np.zeros_like(w) for w in ws], [np.zeros_like(w) for w in ws]
    for step, gs in enumerate(GIVEN):
        for k, g in enumerate(g.numpy() for g in gs):
            ms[k] = 0.8 * ms[k] + 0.2 * g
            ss[k] = 0.95 * ss[k] + 0.05 * g * g
            m_hat = ms[k] / (1 - 0.8 ** (step + 1)) if corrected else ms[k]
            s_hat = ss[k] / (1 - 0.95 ** (step + 1)) if corrected else ss[k]
            u = m_hat / (np.sqrt(s_hat) + eps) + (decay if ws[k].ndim > 1 else 0.0) * ws[k]
            ratio = min(max(norm(ws[k]), low), high) / norm(u)
            if ws[k].ndim <= 1 and exclude:
                ratio = 1.0
            ws[k] = ws[k] - 0.03 * ratio * u
    return ws


@pytest.mark.parametrize("corrected", [False, True])
@pytest.mark.parametrize("exclude", [False, True])
@pytest.mark.parametrize(("low", "high"), [(0.0, None), (5.0, None), (0.0, 5.0), (3.0, 5.5)])
def test_lamb_is_the_papers_equation(
    corrected: bool, exclude: bool, low: float, high: float | None
) -> None:
    settings: dict[str, Any] = {"lr": 0.03, "betas": (0.8, 0.95), "eps": 0.01, "weight_decay": 0.2}
    settings |= {"phi_lower": low, "phi_upper": high}
    settings |= {"bias_correction": corrected, "exclude_bias_and_norm": exclude}
    ours = run(LAMB, settings, GIVEN, weight_decay=0.0)
    bounds = {"low": low, "high": math.inf if high is None else high}
    by_hand = lamb_by_hand(corrected=corrected, exclude=exclude, **bounds, decay=0.2, eps=0.01)
    assert_same(ours, by_hand)


@pytest.mark.parametrize("high", [10.0, 4.0])
@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_lamb_agrees_with_pytorch_optimizer(
    high: float, decay: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At settings where the definitions meet.

    Theirs has no bias correction but of the rate (lr / (1 - β1^t)), which adam_debias takes away;
    decays outside of the ratio unless weight_decouple is false; adds eps to the update's norm as
    well (here 0); caps the weights' norm at its attribute clamp; adapts every tensor.
    """
    package = pytest.importorskip("pytorch_optimizer", reason="extra more-optimizers")
    monkeypatch.setattr(package.Lamb, "clamp", high)
    common = {"lr": 0.02, "betas": (0.9, 0.99), "eps": 0.0, "weight_decay": decay}
    theirs = run(package.Lamb, {**common, "weight_decouple": False, "adam_debias": True}, GIVEN)
    form = {"bias_correction": False, "phi_upper": high, "exclude_bias_and_norm": False}
    assert_same(run(LAMB, {**common, **form}, GIVEN), theirs)


def test_excluded_tensors_of_lamb_are_adamw_without_decay() -> None:
    reference = weights()
    adam = torch.optim.AdamW(reference, lr=0.02, weight_decay=0.0, eps=1e-6, foreach=False)
    for gs in GIVEN:
        for p, g in zip(reference, gs, strict=True):
            p.grad = g.clone()
        adam.step()
    ours = run(LAMB, {"lr": 0.02, "eps": 1e-6}, GIVEN, weight_decay=0.0)
    np.testing.assert_allclose(ours[2], reference[2].detach().numpy(), rtol=0, atol=1e-12)
    assert np.abs(ours[0] - reference[0].detach().numpy()).max() > 1e-3


def test_a_lamb_step_moves_each_tensor_by_lr_of_its_norm() -> None:
    params = weights()
    before = [p.detach().clone() for p in params]
    for p, g in zip(params, GIVEN[0], strict=True):
        p.grad = 1e5 * g
    LAMB(params, lr=0.03, weight_decay=0.4, exclude_bias_and_norm=False).step()
    for p, old in zip(params, before, strict=True):
        moved = ((p.detach() - old).norm() / old.norm()).item()
        assert moved == pytest.approx(0.03, rel=1e-12)


@pytest.mark.parametrize(
    ("cls", "setting", "text"),
    [
        (LARS, {"momentum": 1.5}, "optimizer.momentum=1.5: must be a number from 0 to below 1"),
        (LARS, {"trust_coefficient": 0.0}, "optimizer.trust_coefficient=0.0: must be a number abo"),
        (LARS, {"eps": -1.0}, "optimizer.eps=-1.0: must be a number from 0"),
        (LARS, {"nesterov": 1}, "optimizer.nesterov=1: must be true or false"),
        (LAMB, {"betas": (0.9, 1.0)}, r"optimizer.betas=\[0.9, 1.0\]: must be 2 numbers from 0"),
        (LAMB, {"phi_upper": 0.0}, "optimizer.phi_upper=0.0: must be a number above 0"),
        (LAMB, {"phi_lower": 2.0, "phi_upper": 1.0}, "optimizer.phi_upper=1.0: must be at least"),
        (LAMB, {"weight_decay": "x"}, "optimizer.weight_decay=x: must be a number from 0"),
    ],
)
def test_impossible_settings_are_refused(cls: type, setting: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text) as caught:
        cls(weights(), **setting)
    assert "\n" not in str(caught.value)
