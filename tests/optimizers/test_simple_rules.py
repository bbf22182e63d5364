"""keras_sgd, nesterov_lookahead, signsgd and lion: against NumPy, torch and pytorch-optimizer."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import SGD, Optimizer
from trajectories import (
    STEPS,
    Array,
    Quadratic,
    continued_equals_uninterrupted,
    largest_gap,
    run,
    run_rule,
    scheduled,
    state_bytes,
)

from sgdlab.errors import InputError
from sgdlab.optimizers.decay import use_decay_mode
from sgdlab.optimizers.keras_sgd import KerasSGD
from sgdlab.optimizers.lion import Lion
from sgdlab.optimizers.nesterov_lookahead import NesterovLookahead
from sgdlab.optimizers.signsgd import SignSGD

MU, WD = 0.9, 0.02


def keras(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    s["v"] = MU * s.get("v", 0.0) - lr * (grad(w) + WD * w)
    return w + s["v"]


def keras_nesterov(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    g = grad(w) + WD * w
    s["v"] = MU * s.get("v", 0.0) - lr * g
    return w + MU * s["v"] - lr * g


def lookahead(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    ahead = w - lr * MU * s.get("v", 0.0)
    s["v"] = MU * s.get("v", 0.0) + grad(ahead) + WD * ahead
    return w - lr * s["v"]


def sign(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    return w - lr * np.sign(grad(w) + WD * w)


def signum(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    s["m"] = MU * s.get("m", 0.0) + (1 - MU) * (grad(w) + WD * w)
    return w - lr * np.sign(s["m"])


def lion(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    g, m = grad(w), s.get("m", np.zeros_like(w))
    s["m"] = 0.98 * m + 0.02 * g
    return w - lr * (np.sign(0.8 * m + 0.2 * g) + WD * w)


CASES = [
    (KerasSGD, {"momentum": MU, "weight_decay": WD}, keras),
    (KerasSGD, {"momentum": MU, "weight_decay": WD, "nesterov": True}, keras_nesterov),
    (NesterovLookahead, {"momentum": MU, "weight_decay": WD}, lookahead),
    (SignSGD, {"weight_decay": WD}, sign),
    (SignSGD, {"momentum": MU, "weight_decay": WD}, signum),
    (Lion, {"betas": (0.8, 0.98), "weight_decay": WD}, lion),
]
IDS = [case[2].__name__ for case in CASES]


@pytest.mark.parametrize(("cls", "options", "rule"), CASES, ids=IDS)
def test_a_hundred_steps_at_scheduled_rates_equal_the_equations(cls, options, rule) -> None:
    params = Quadratic().parameters()
    run(cls(params, **options), params, scheduled(0.02))
    assert largest_gap(params, run_rule(rule, scheduled(0.02))) < 1e-10


@pytest.mark.parametrize(("cls", "options", "rule"), CASES, ids=IDS)
def test_a_run_continued_from_a_state_dict_is_bitwise_the_same(cls, options, rule) -> None:
    continued_equals_uninterrupted(lambda params: cls(params, **options))


@pytest.mark.parametrize(("cls", "options", "rule"), CASES, ids=IDS)
def test_state_is_one_copy_of_the_parameters_and_none_for_plain_signs(cls, options, rule) -> None:
    params = Quadratic().parameters()
    optimizer = cls(params, **options)
    run(optimizer, params, [0.01, 0.01])
    assert state_bytes(optimizer) == (0 if rule is sign else 8 * (15 + 4))


@pytest.mark.parametrize(("cls", "options", "rule"), CASES, ids=IDS)
def test_a_parameter_without_gradient_stays_and_gets_no_decay(cls, options, rule) -> None:
    used, unused = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2))
    optimizer: Optimizer = cls([used, unused], lr=0.1, **options)

    def closure(gradient: bool = True) -> torch.Tensor:
        used.grad = 2 * used.detach()
        return (used.detach() ** 2).sum()

    for _ in range(3):
        optimizer.step(closure)
    assert torch.equal(unused, torch.ones(2))
    assert not torch.equal(used, torch.ones(3))


@pytest.mark.parametrize(("cls", "options", "rule"), CASES, ids=IDS)
def test_groups_have_their_own_decay_and_rate(cls, options, rule) -> None:
    """Groups with other settings do what optimizers of their own would."""
    together, apart = Quadratic().parameters(), Quadratic().parameters()
    settings = ({"weight_decay": 0.3}, {"weight_decay": 0.0, "lr_multiplier": 0.5})
    groups = [{"params": [p], **own} for p, own in zip(together, settings, strict=True)]
    run(cls(groups, **options), together, scheduled(0.02))
    problem = Quadratic()
    for i, (p, own) in enumerate(zip(apart, settings, strict=True)):
        optimizer = cls([{"params": [p], **own}], **options)
        for step, lr in enumerate(scheduled(0.02), 1):
            optimizer.param_groups[0]["lr"] = lr * own.get("lr_multiplier", 1.0)

            def closure(gradient: bool = True, i=i, p=p, step=step) -> torch.Tensor:
                p.grad = torch.tensor(problem.gradient(i, step)(p.detach().numpy().copy()))
                return torch.zeros(())

            optimizer.step(closure)
    assert all(torch.equal(p, q) for p, q in zip(together, apart, strict=True))


# keras_sgd and torch


@pytest.mark.parametrize("nesterov", [False, True])
def test_keras_sgd_is_torchs_sgd_at_a_constant_rate(nesterov: bool) -> None:
    options = {"momentum": MU, "nesterov": nesterov, "weight_decay": WD}
    ours, theirs = Quadratic().parameters(), Quadratic().parameters()
    run(KerasSGD(ours, **options), ours, [0.05] * STEPS)
    run(SGD(theirs, lr=0.05, **options), theirs, [0.05] * STEPS)
    assert largest_gap(ours, [p.detach().numpy() for p in theirs]) < 1e-10


def test_keras_sgd_moves_9_1_times_as_far_as_torchs_when_the_rate_drops_by_ten() -> None:
    """Theory, row 24: μη/η' + (1 - μ) on the first step after the drop, constant gradient."""
    moves = []
    for cls in (KerasSGD, SGD):
        p = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        optimizer = cls([p], lr=0.1, momentum=MU)
        for _ in range(500):
            p.grad = torch.ones_like(p)
            optimizer.step()
        optimizer.param_groups[0]["lr"] = 0.01
        before = p.item()
        optimizer.step()
        moves.append(before - p.item())
    assert moves[0] / moves[1] == pytest.approx(9.1, rel=1e-10)


def test_decoupled_decay_gives_kerass_own() -> None:
    p = nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    optimizer = KerasSGD([p], lr=0.1, momentum=MU, weight_decay=0.5)
    use_decay_mode(optimizer, "decoupled", 0.1, "keras_sgd")
    p.grad = torch.zeros_like(p)
    optimizer.step()
    assert p.item() == pytest.approx(2.0 * (1 - 0.1 * 0.5), rel=1e-15)


# nesterov_lookahead and torch


def test_lookahead_is_torchs_nesterov_after_moving_to_the_lookahead_point() -> None:
    """Theory, row 23: θ̂ = θ - ημv, constant rate."""
    lr = 0.05
    ours, theirs = Quadratic().parameters(), Quadratic().parameters()
    optimizer = NesterovLookahead(ours, momentum=MU, weight_decay=WD)
    twin = SGD(theirs, lr=lr, momentum=MU, nesterov=True, weight_decay=WD)
    for step in range(1, STEPS + 1):
        run(optimizer, ours, [lr], first=step)
        run(twin, theirs, [lr], first=step)
        moved = [p - lr * MU * optimizer.state[p]["momentum_buffer"] for p in ours]
        gaps = [(p - q).abs().max().item() for p, q in zip(moved, theirs, strict=True)]
        assert max(gaps) < 1e-10


def test_lookahead_parts_from_torchs_nesterov_when_the_rate_changes() -> None:
    ours, theirs = Quadratic().parameters(), Quadratic().parameters()
    optimizer = NesterovLookahead(ours, momentum=MU)
    run(optimizer, ours, scheduled(0.02))
    run(SGD(theirs, momentum=MU, nesterov=True), theirs, scheduled(0.02))
    last = scheduled(0.02)[-1]
    moved = [p - last * MU * optimizer.state[p]["momentum_buffer"] for p in ours]
    assert max((p - q).abs().max().item() for p, q in zip(moved, theirs, strict=True)) > 1e-5


def test_lookahead_evaluates_first_the_loss_before_the_update_then_the_gradient_ahead() -> None:
    p = nn.Parameter(torch.tensor([1.0, -3.0], dtype=torch.float64))
    optimizer = NesterovLookahead([p], lr=0.3, momentum=MU)
    calls: list[tuple[bool, torch.Tensor, bool]] = []

    def closure(gradient: bool = True) -> torch.Tensor:
        calls.append((gradient, p.detach().clone(), torch.is_grad_enabled()))
        p.grad = p.detach().clone() if gradient else None
        return (p.detach() ** 2).sum() / 2

    for _ in range(3):
        before = p.detach().clone()
        loss = optimizer.step(closure)
        assert loss.item() == pytest.approx((before**2).sum().item() / 2)
    assert [gradient for gradient, *_ in calls] == [False, True] * 3
    assert all(enabled for gradient, _, enabled in calls if gradient)
    assert torch.equal(calls[4][1], before)
    assert not torch.equal(calls[5][1], before)


def test_lookahead_puts_the_parameters_back_exactly() -> None:
    """Moving there and back by adding would lose the 1 in float32."""
    p = nn.Parameter(torch.tensor([1.0]))
    optimizer = NesterovLookahead([p], lr=1.0, momentum=MU)
    optimizer.state[p]["momentum_buffer"] = torch.tensor([1e9])

    def closure(gradient: bool = True) -> torch.Tensor:
        p.grad = torch.tensor([-MU * 1e9])
        return torch.zeros(())

    optimizer.step(closure)
    velocity = torch.tensor([1e9]) * MU + p.grad
    assert torch.equal(p, 1.0 - velocity)
    assert velocity.abs() < 100


def test_lookahead_refuses_other_forms_of_decay() -> None:
    optimizer = NesterovLookahead([nn.Parameter(torch.ones(2))], weight_decay=0.1)
    with pytest.raises(InputError, match=r"^decay\.mode=decoupled: not possible with x"):
        use_decay_mode(optimizer, "decoupled", 0.1, "x")


# signs


def test_lion_with_equal_betas_is_signum() -> None:
    ours, theirs = Quadratic().parameters(), Quadratic().parameters()
    run(Lion(ours, betas=(MU, MU)), ours, scheduled(0.02))
    run(SignSGD(theirs, momentum=MU), theirs, scheduled(0.02))
    assert all(torch.equal(p, q) for p, q in zip(ours, theirs, strict=True))


def test_adam_without_memory_and_eps_is_signsgd() -> None:
    ours, theirs = Quadratic().parameters(), Quadratic().parameters()
    run(SignSGD(ours), ours, scheduled(0.02))
    run(torch.optim.Adam(theirs, betas=(0.0, 0.0), eps=0.0), theirs, scheduled(0.02))
    assert largest_gap(ours, [p.detach().numpy() for p in theirs]) < 1e-10


def test_the_scale_of_the_loss_has_no_effect_on_signs() -> None:
    ends = []
    for scale in (1.0, 2.0**20):
        p = nn.Parameter(torch.tensor([1.0, -2.0, 0.0]))
        optimizer = Lion([p], lr=0.01)
        for _ in range(20):
            p.grad = scale * p.detach()
            optimizer.step()
        ends.append(p.detach().clone())
    assert torch.equal(*ends)
    assert ends[0][2] == 0


def test_lion_equals_pytorch_optimizers() -> None:
    package = pytest.importorskip("pytorch_optimizer")
    options = {"betas": (0.9, 0.99), "weight_decay": WD}
    ours, theirs = Quadratic().parameters(), Quadratic().parameters()
    run(Lion(ours, **options), ours, scheduled(0.02))
    run(package.Lion(theirs, weight_decouple=True, **options), theirs, scheduled(0.02))
    assert largest_gap(ours, [p.detach().numpy() for p in theirs]) < 1e-10


@pytest.mark.parametrize("momentum", [0.0, MU])
def test_signsgd_equals_pytorch_optimizers_whose_decay_is_decoupled_unless_told(
    momentum: float,
) -> None:
    package = pytest.importorskip("pytorch_optimizer")
    options = {"momentum": momentum, "weight_decay": WD}
    for decoupled in (False, True):
        ours, theirs = Quadratic().parameters(), Quadratic().parameters()
        optimizer = SignSGD(ours, lr=0.02, **options)
        if decoupled:
            use_decay_mode(optimizer, "decoupled", 0.02, "signsgd")
        run(optimizer, ours, scheduled(0.02))
        twin = package.SignSGD(theirs, weight_decouple=decoupled, **options)
        run(twin, theirs, scheduled(0.02))
        assert largest_gap(ours, [p.detach().numpy() for p in theirs]) < 1e-10


# Refused

BAD = [
    (KerasSGD, {"lr": -0.1}, "optimizer.lr=-0.1: must be a number from 0"),
    (KerasSGD, {"lr": float("nan")}, "optimizer.lr=nan: must be a number from 0"),
    (KerasSGD, {"momentum": 1.5}, "optimizer.momentum=1.5: must be a number from 0 to below 1"),
    (KerasSGD, {"momentum": True}, "optimizer.momentum=True: must be a number from 0 to below 1"),
    (KerasSGD, {"nesterov": 1}, "optimizer.nesterov=1: must be true or false"),
    (KerasSGD, {"weight_decay": -1.0}, "optimizer.weight_decay=-1.0: must be a number from 0"),
    (NesterovLookahead, {"lr": "big"}, "optimizer.lr=big: must be a number from 0"),
    (
        NesterovLookahead,
        {"momentum": 1.0},
        "optimizer.momentum=1.0: must be a number from 0 to below 1",
    ),
    (
        NesterovLookahead,
        {"weight_decay": float("inf")},
        "optimizer.weight_decay=inf: must be a number from 0",
    ),
    (SignSGD, {"lr": None}, "optimizer.lr=None: must be a number from 0"),
    (SignSGD, {"momentum": -0.1}, "optimizer.momentum=-0.1: must be a number from 0 to below 1"),
    (SignSGD, {"weight_decay": -1e-4}, "optimizer.weight_decay=-0.0001: must be a number from 0"),
    (Lion, {"lr": -1.0}, "optimizer.lr=-1.0: must be a number from 0"),
    (Lion, {"betas": [0.9]}, "optimizer.betas=[0.9]: must be 2 numbers from 0 to below 1"),
    (
        Lion,
        {"betas": (0.9, 1.0)},
        "optimizer.betas=[0.9, 1.0]: must be 2 numbers from 0 to below 1",
    ),
    (Lion, {"betas": 0.9}, "optimizer.betas=0.9: must be 2 numbers from 0 to below 1"),
    (Lion, {"weight_decay": -1.0}, "optimizer.weight_decay=-1.0: must be a number from 0"),
]


@pytest.mark.parametrize(("cls", "options", "message"), BAD, ids=[m for *_, m in BAD])
def test_impossible_settings_are_refused(cls, options, message: str) -> None:
    with pytest.raises(InputError) as error:
        cls([nn.Parameter(torch.ones(2))], **options)
    assert str(error.value) == message
