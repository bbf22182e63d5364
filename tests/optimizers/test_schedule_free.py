"""Schedule-free SGD and AdamW: the three sequences by definition, and pytorch-optimizer."""

import copy
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from given_gradients import SHAPES, assert_same, follow, gradients, groups, run, weights
from torch import Tensor

from sgdlab.errors import InputError
from sgdlab.optimizers.schedule_free import ScheduleFree
from sgdlab.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from sgdlab.optimizers.schedule_free_sgd import ScheduleFreeSGD

BOTH = pytest.mark.parametrize("cls", [ScheduleFreeSGD, ScheduleFreeAdamW])
CURVATURES = [np.random.default_rng(3).uniform(0.5, 2.0, shape) for shape in SHAPES]


def slope(k: int, at: Any) -> Any:
    """Return the gradient of a quadratic, so that it matters where gradients are taken."""
    return CURVATURES[k] * at if isinstance(at, np.ndarray) else torch.tensor(CURVATURES[k]) * at


def by_definition(
    direction: Callable[[int, int, np.ndarray], np.ndarray],
    rates: Callable[[int], float],
    *,
    beta: float,
    warmup: int,
    r: float,
    power: float,
    steps: int = 100,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return ``y`` and ``x`` at the end, with ``x`` the weighted mean of all ``z`` so far."""
    ys, xs = [], []
    for k, start in enumerate(p.detach().numpy() for p in weights()):
        z, y = start.copy(), start.copy()
        past, shares, largest = [], [], 0.0
        for t in range(1, steps + 1):
            lr = rates(t - 1) * (min(1.0, t / warmup) if warmup else 1.0)
            largest = max(largest, lr)
            z = z - lr * direction(k, t, y)
            past.append(z)
            shares.append(t**r * largest**power)
            x = np.tensordot(np.array(shares) / sum(shares), np.array(past), axes=1)
            y = (1 - beta) * z + beta * x
        ys.append(y)
        xs.append(x)
    return ys, xs


def train(optimizer: ScheduleFree, params: Sequence[Tensor], rates: Callable[[int], float]) -> None:
    for t in range(100):
        for k, p in enumerate(params):
            p.grad = slope(k, p.detach())
        for group in optimizer.param_groups:
            group["lr"] = rates(t)
        optimizer.step()


@pytest.mark.parametrize("warmup", [0, 30])
@pytest.mark.parametrize(("r", "power"), [(0.0, 2.0), (1.5, 0.0), (0.5, 1.0)])
@pytest.mark.parametrize("falls", [False, True])
@BOTH
def test_the_sequences_are_those_of_the_paper(
    cls: type, warmup: int, r: float, power: float, falls: bool
) -> None:
    peak = 0.3 if cls is ScheduleFreeSGD else 0.02
    rates = lambda t: peak / (1 + t / 40) if falls else peak  # noqa: E731
    own = {"momentum": 0.8} if cls is ScheduleFreeSGD else {"betas": (0.8, 0.95), "eps": 0.01}
    params = weights()
    optimizer = cls(
        groups(params, weight_decay=0.0),
        weight_decay=0.1,
        warmup_steps=warmup,
        r=r,
        weight_lr_power=power,
        **own,
    )
    train(optimizer, params, rates)

    squares = [np.zeros(shape) for shape in SHAPES]

    def direction(k: int, t: int, y: np.ndarray) -> np.ndarray:
        g, decay = slope(k, y), 0.1 if y.ndim > 1 else 0.0
        if cls is ScheduleFreeSGD:
            return g + decay * y
        squares[k] = 0.95 * squares[k] + 0.05 * g**2
        return g / (np.sqrt(squares[k] / (1 - 0.95**t)) + 0.01) + decay * y

    ys, xs = by_definition(direction, rates, beta=0.8, warmup=warmup, r=r, power=power)
    assert_same([p.detach().numpy() for p in params], ys)
    optimizer.eval()
    assert_same([p.detach().numpy() for p in params], xs)
    assert max(np.abs(x - y).max() for x, y in zip(xs, ys, strict=True)) > 1e-6


@pytest.mark.parametrize("warmup", [0, 30])
@pytest.mark.parametrize("decay", [0.0, 0.1])
@BOTH
def test_they_agree_with_pytorch_optimizer(cls: type, decay: float, warmup: int) -> None:
    package = pytest.importorskip("pytorch_optimizer", reason="extra more-optimizers")
    settings: dict[str, Any] = {"lr": 0.05, "weight_decay": decay, "warmup_steps": warmup}
    settings |= {"r": 0.5, "weight_lr_power": 1.5}
    settings |= {"momentum": 0.85} if cls is ScheduleFreeSGD else {"betas": (0.85, 0.99)}
    given = gradients(100)
    theirs = getattr(package, cls.__name__)
    assert_same(run(cls, settings, given), run(theirs, settings, given))

    averages = []
    for each in (cls, theirs):
        params = weights()
        optimizer = each(params, **settings)
        for _ in follow(optimizer, params, given):
            pass
        optimizer.eval()
        averages.append([p.detach().numpy() for p in params])
    assert_same(*averages)


@BOTH
def test_evaluating_disturbs_nothing(cls: type) -> None:
    """Looking after every step, and twice: the same bits as never looking."""
    given, ends = gradients(30), []
    for looks in (False, True):
        params = weights()
        optimizer = cls(params)
        for _ in follow(optimizer, params, given):
            if looks:
                trained = [p.detach().clone() for p in params]
                optimizer.eval()
                seen = [p.detach().clone() for p in params]
                optimizer.eval()
                assert all(torch.equal(p, x) for p, x in zip(params, seen, strict=True))
                optimizer.train()
                optimizer.train()
                assert all(torch.equal(p, y) for p, y in zip(params, trained, strict=True))
        ends.append([p.detach().clone() for p in params])
    assert all(torch.equal(p, q) for p, q in zip(*ends, strict=True))


@BOTH
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_a_checkpoint_of_either_mode_goes_on_exactly(cls: type, mode: str) -> None:
    given = gradients(20)
    whole = weights()
    optimizer = cls(whole)
    for _ in follow(optimizer, whole, given):
        pass

    first = weights()
    optimizer = cls(first)
    for _ in follow(optimizer, first, given[:10]):
        pass
    getattr(optimizer, mode)()
    file = io.BytesIO()
    torch.save({"model": first, "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)

    second = weights(seed=9)
    resumed = cls(second)
    with torch.no_grad():
        for p, value in zip(second, saved["model"], strict=True):
            p.copy_(value)
    resumed.load_state_dict(saved["optimizer"])
    resumed.train()
    for _ in follow(resumed, second, given[10:]):
        pass
    assert all(torch.equal(p, q) for p, q in zip(second, whole, strict=True))


@BOTH
def test_a_scheduled_beta_leaves_the_average_what_it_is(cls: type) -> None:
    """``x`` is the mean of ``z`` whatever beta is, so constant gradients give it in closed form."""
    p = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
    optimizer = cls([p], lr=0.1, **({"eps": 0.0} if cls is ScheduleFreeAdamW else {}))
    for t in range(10):
        beta = 0.5 + 0.04 * t
        for group in optimizer.param_groups:
            group.update({"momentum": beta} if "momentum" in group else {"betas": (beta, 0.999)})
        p.grad = torch.ones_like(p)
        optimizer.step()
    x = -0.1 * sum(range(1, 11)) / 10
    torch.testing.assert_close(p.detach(), torch.full_like(p, (1 - beta) * -1.0 + beta * x))
    optimizer.eval()
    torch.testing.assert_close(p.detach(), torch.full_like(p, x))


@BOTH
def test_the_memory_is_that_of_the_twin(cls: type) -> None:
    """One buffer like momentum, two like Adam, while training."""
    params = weights()
    optimizer = cls(params)
    for _ in follow(optimizer, params, gradients(2)):
        pass
    optimizer.eval()
    optimizer.train()
    held = sum(v.numel() for state in optimizer.state.values() for v in state.values())
    buffers = 1 if cls is ScheduleFreeSGD else 2
    assert held == buffers * sum(p.numel() for p in params)


@BOTH
def test_a_step_with_the_average_in_place_is_a_mistake(cls: type) -> None:
    params = weights()
    optimizer = cls(params)
    optimizer.eval()
    with pytest.raises(RuntimeError, match="call train"):
        optimizer.step()
    optimizer.train()
    before = copy.deepcopy(params)
    optimizer.step()
    assert all(torch.equal(p, q) for p, q in zip(params, before, strict=True))


@BOTH
def test_decay_modes_do_not_apply(cls: type) -> None:
    assert cls(weights()).decay_modes == ()


@pytest.mark.parametrize(
    ("cls", "setting", "text"),
    [
        (ScheduleFreeSGD, {"momentum": 0.0}, "optimizer.momentum=0.0: must be a number above 0 to"),
        (
            ScheduleFreeSGD,
            {"warmup_steps": 1.5},
            "optimizer.warmup_steps=1.5: must be a whole numb",
        ),
        (ScheduleFreeSGD, {"r": -1.0}, "optimizer.r=-1.0: must be a number from 0"),
        (ScheduleFreeAdamW, {"betas": (0.0, 0.9)}, r"optimizer.betas=\[0.0, 0.9\]: the first must"),
        (ScheduleFreeAdamW, {"weight_lr_power": -2.0}, "optimizer.weight_lr_power=-2.0: must be"),
        (ScheduleFreeAdamW, {"eps": -1.0}, "optimizer.eps=-1.0: must be a number from 0"),
    ],
)
def test_impossible_settings_are_refused(cls: type, setting: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        cls(weights(), **setting)
