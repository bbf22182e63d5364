"""The equations that the YAMLs of torch's own optimizers state, written in NumPy, are what they do.

And every YAML constructs, lowers a convex loss and continues from a state dict.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hydra.utils import get_class
from torch import nn
from torch.optim import Optimizer
from trajectories import (
    STEPS,
    Array,
    Quadratic,
    Rule,
    largest_gap,
    run,
    run_rule,
    scheduled,
)

from sgdlab.config.catalogue import conf_dir, members
from sgdlab.optimizers.groups import parameter_groups
from sgdlab.search import space_of

TORCH = ["sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "adagrad", "asgd", "nadam"]
TORCH += ["radam", "adamax", "adadelta", "adafactor", "rprop", "lbfgs"]
OURS = [*TORCH, "muon", "keras_sgd", "nesterov_lookahead", "signsgd", "lion"]
WD, B1, B2 = 0.02, 0.8, 0.95
ADAM: dict[str, Any] = {"betas": [B1, B2], "eps": 1e-3, "weight_decay": WD}


def settings(name: str, **changed: Any) -> tuple[type[Optimizer], dict[str, Any]]:
    section = yaml.safe_load((conf_dir() / "optimizer" / f"{name}.yaml").read_text())
    cls = get_class(section.pop("_target_"))
    del section["_traits_"]
    assert set(changed) <= set(section)
    return cls, {**section, **changed}


# The rules, as their YAMLs write them.


def heavy_ball(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    g = grad(w) + WD * w
    s["v"] = g if t == 1 else 0.7 * s["v"] + (1 - 0.3) * g
    return w - lr * s["v"]


def nesterov(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    g = grad(w) + WD * w
    s["v"] = 0.7 * s.get("v", 0.0) + g
    return w - lr * (g + 0.7 * s["v"])


def plain(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    return w - lr * (grad(w) + WD * w)


def _moments(s: dict[str, Any], g: Array) -> tuple[Array, Array]:
    s["m"] = B1 * s.get("m", 0.0) + (1 - B1) * g
    s["v"] = B2 * s.get("v", 0.0) + (1 - B2) * g**2
    return s["m"], s["v"]


def adam(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    m, v = _moments(s, grad(w) + WD * w)
    return w - lr * m / (1 - B1**t) / (np.sqrt(v / (1 - B2**t)) + 1e-3)


def amsgrad(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    m, v = _moments(s, grad(w) + WD * w)
    s["max"] = np.maximum(s.get("max", 0.0), v)
    return w - lr * m / (1 - B1**t) / (np.sqrt(s["max"] / (1 - B2**t)) + 1e-3)


def adamw(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    m, v = _moments(s, grad(w))
    return (1 - lr * WD) * w - lr * m / (1 - B1**t) / (np.sqrt(v / (1 - B2**t)) + 1e-3)


def rmsprop(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    g = grad(w) + WD * w
    s["v"] = 0.9 * s.get("v", 0.0) + 0.1 * g**2
    return w - lr * g / (np.sqrt(s["v"]) + 1e-3)


def rmsprop_centered(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    g = grad(w) + WD * w
    s["v"] = 0.9 * s.get("v", 0.0) + 0.1 * g**2
    s["a"] = 0.9 * s.get("a", 0.0) + 0.1 * g
    s["b"] = 0.7 * s.get("b", 0.0) + g / (np.sqrt(s["v"] - s["a"] ** 2) + 1e-3)
    return w - lr * s["b"]


def adagrad(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    g = grad(w) + WD * w
    s["s"] = s.get("s", 0.5) + g**2
    return w - lr / (1 + (t - 1) * 0.1) * g / (np.sqrt(s["s"]) + 1e-3)


def asgd(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    eta = s.get("eta", lr)
    w = (1 - 0.1 * eta) * w - eta * (grad(w) + WD * w)
    s["eta"] = lr / (1 + 0.1 * lr * t) ** 0.75
    return w


def nadam(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    g = grad(w) + WD * w
    m, v = _moments(s, g)
    mu, later = (B1 * (1 - 0.96 ** (k * 0.1) / 2) for k in (t, t + 1))
    s["product"] = s.get("product", 1.0) * mu
    mix = later / (1 - s["product"] * later) * m + (1 - mu) / (1 - s["product"]) * g
    return w - lr * mix / (np.sqrt(v / (1 - B2**t)) + 1e-3)


def radam(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    m, v = _moments(s, grad(w) + WD * w)
    most = 2 / (1 - B2) - 1
    rho = most - 2 * t * B2**t / (1 - B2**t)
    if rho <= 5:
        return w - lr * m / (1 - B1**t)
    r = np.sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
    return w - lr * r * m / (1 - B1**t) * np.sqrt(1 - B2**t) / (np.sqrt(v) + 1e-3)


def adamax(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    g = grad(w) + WD * w
    s["m"] = B1 * s.get("m", 0.0) + (1 - B1) * g
    s["u"] = np.maximum(B2 * s.get("u", 0.0), np.abs(g) + 1e-3)
    return w - lr * s["m"] / (1 - B1**t) / s["u"]


def adadelta(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    g = grad(w) + WD * w
    s["s"] = 0.8 * s.get("s", 0.0) + 0.2 * g**2
    d = np.sqrt(s.get("a", 0.0) + 1e-3) / np.sqrt(s["s"] + 1e-3) * g
    s["a"] = 0.8 * s.get("a", 0.0) + 0.2 * d**2
    return w - lr * d


def adafactor(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    g, beta2, eps1 = grad(w), 1 - t**-0.8, np.finfo(np.float64).eps
    if w.ndim > 1:
        s["r"] = beta2 * s.get("r", 0.0) + (1 - beta2) * (g**2).mean(-1, keepdims=True)
        s["c"] = beta2 * s.get("c", 0.0) + (1 - beta2) * (g**2).mean(-2, keepdims=True)
        v = s["r"] * s["c"] / max(s["r"].mean(), eps1)
    else:
        s["v"] = v = beta2 * s.get("v", 0.0) + (1 - beta2) * g**2
    u = g / np.maximum(np.sqrt(v), eps1)
    u = u / max(1.0, _rms(u) / 1.1)
    return (1 - lr * WD) * w - max(0.5, _rms(w)) * min(lr, 1 / np.sqrt(t)) * u


def _rms(x: Array) -> float:
    return float(np.sqrt((x**2).mean()))


def rprop(w: Array, grad: Any, lr: float, t: int, s: dict[str, Any]) -> Array:
    g, before = grad(w), s.get("g", np.zeros_like(w))
    size = s.get("size", np.full_like(w, lr))
    same, turned = g * before > 0, g * before < 0
    size = np.where(same, np.minimum(size * 1.3, 0.2), size)
    size = np.where(turned, np.maximum(size * 0.4, 1e-3), size)
    s["size"], s["g"] = size, np.where(turned, 0.0, g)
    return w - np.where(turned, 0.0, size * np.sign(g))


CASES: list[tuple[str, dict[str, Any], Rule]] = [
    ("sgd", {"weight_decay": WD}, plain),
    ("momentum", {"momentum": 0.7, "dampening": 0.3, "weight_decay": WD}, heavy_ball),
    ("nesterov", {"momentum": 0.7, "weight_decay": WD}, nesterov),
    ("adam", ADAM, adam),
    ("adam", {**ADAM, "amsgrad": True}, amsgrad),
    ("adam", {**ADAM, "decoupled_weight_decay": True}, adamw),
    ("adamw", ADAM, adamw),
    ("rmsprop", {"alpha": 0.9, "eps": 1e-3, "weight_decay": WD}, rmsprop),
    (
        "rmsprop",
        {"alpha": 0.9, "eps": 1e-3, "weight_decay": WD, "centered": True, "momentum": 0.7},
        rmsprop_centered,
    ),
    (
        "adagrad",
        {"lr_decay": 0.1, "eps": 1e-3, "weight_decay": WD, "initial_accumulator_value": 0.5},
        adagrad,
    ),
    ("asgd", {"lambd": 0.1, "weight_decay": WD}, asgd),
    ("nadam", {**ADAM, "momentum_decay": 0.1}, nadam),
    ("radam", ADAM, radam),
    ("adamax", ADAM, adamax),
    ("adadelta", {"rho": 0.8, "eps": 1e-3, "weight_decay": WD}, adadelta),
    ("adafactor", {"eps": [None, 0.5], "d": 1.1, "weight_decay": WD}, adafactor),
    ("rprop", {"etas": [0.4, 1.3], "step_sizes": [1e-3, 0.2]}, rprop),
]


@pytest.fixture
def _numbers_of_the_state_in_float64() -> Iterator[None]:
    """Otherwise torch keeps asgd's rate and nadam's product in float32, whatever the weights."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("_numbers_of_the_state_in_float64")
@pytest.mark.parametrize(("name", "changed", "rule"), CASES, ids=[c[2].__name__ for c in CASES])
def test_a_hundred_steps_at_scheduled_rates_equal_the_equations_of_the_yaml(
    name: str, changed: dict[str, Any], rule: Rule
) -> None:
    cls, options = settings(name, **changed)
    params = Quadratic().parameters()
    run(cls(params, **options), params, scheduled(0.02))
    assert largest_gap(params, run_rule(rule, scheduled(0.02))) < 1e-10


def test_every_member_of_torch_has_such_a_case() -> None:
    paths = (conf_dir() / "optimizer").glob("*.yaml")
    found = [path.stem for path in paths if "_target_: torch.optim." in path.read_text()]
    assert sorted(found) == sorted(TORCH)
    assert set(TORCH) - {"lbfgs"} == {name for name, *_ in CASES}


def test_the_average_of_asgd_starts_after_two_steps_more_than_t0_and_is_read_by_nobody() -> None:
    cls, options = settings("asgd", t0=10.0)
    params, seen = Quadratic().parameters(), []
    optimizer = cls(params, **options)
    for step in range(1, 31):
        run(optimizer, params, [0.02], first=step)
        seen.append(params[0].detach().clone())
        average = optimizer.state[params[0]]["ax"]
        start = min(step, 12) - 1
        expected = torch.stack(seen[start:]).mean(0)
        torch.testing.assert_close(average, expected, rtol=1e-6, atol=1e-6)
    assert (average - params[0]).abs().max() > 1e-3


def test_a_schedule_has_no_effect_on_rprop_after_its_first_step() -> None:
    cls, options = settings("rprop")
    ends = []
    for rates in ([0.01] * STEPS, [0.01] + [5.0] * (STEPS - 1)):
        params = Quadratic().parameters()
        run(cls(params, **options), params, rates)
        ends.append(params[0])
    assert torch.equal(*ends)


def test_no_step_of_adamax_exceeds_its_rate_by_more_than_a_hundredth() -> None:
    cls, options = settings("adamax")
    params = Quadratic().parameters()
    optimizer = cls(params, **options)
    longest = 0.0
    for step in range(1, STEPS + 1):
        before = params[0].detach().clone()
        run(optimizer, params, [0.01], first=step)
        longest = max(longest, (params[0] - before).abs().max().item())
    assert 0.005 < longest < 0.0101


def test_the_first_steps_of_radam_depend_on_the_scale_of_the_loss_and_later_ones_do_not() -> None:
    cls, options = settings("radam", eps=0.0)
    moves = []
    for scale in (1.0, 100.0):
        p = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        optimizer, path = cls([p], **options), []
        for _ in range(8):
            p.grad = torch.full_like(p, scale)
            before = p.item()
            optimizer.step()
            path.append(before - p.item())
        moves.append(path)
    small, large = (np.array(path) for path in moves)
    np.testing.assert_allclose(large[:5], 100 * small[:5], rtol=1e-10)
    np.testing.assert_allclose(large[5:], small[5:], rtol=1e-10)
    assert small[5] / options["lr"] == pytest.approx(0.0258, abs=1e-4)


def test_adadeltas_first_step_is_sqrt_of_eps_over_1_minus_rho() -> None:
    cls, options = settings("adadelta")
    p = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    p.grad = torch.full_like(p, 10.0)
    cls([p], **options).step()
    assert -p.item() == pytest.approx((1e-6 / 0.1) ** 0.5, rel=1e-6)


# Every YAML of this family


def trained(name: str, steps: int, **changed: Any) -> list[float]:
    """Return the full-batch losses of softmax regression, before and during training."""
    cls, options = settings(name, **changed)
    torch.manual_seed(0)
    x = torch.randn(60, 5, dtype=torch.float64)
    y = (x @ torch.randn(5, 3, dtype=torch.float64)).argmax(1)
    model = nn.Linear(5, 3).double()
    optimizer = cls(parameter_groups(model, weight_decay=options.get("weight_decay")), **options)
    losses = []

    def closure(gradient: bool = True) -> torch.Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        if gradient:
            loss.backward()
        return loss.detach()

    for _ in range(steps):
        losses.append(closure().item())
        if name in ("lbfgs", "nesterov_lookahead"):
            optimizer.step(closure)
        else:
            optimizer.step()
    return [*losses, closure().item()]


@pytest.mark.parametrize("name", OURS)
def test_every_yaml_constructs_and_lowers_a_convex_loss(name: str) -> None:
    losses = trained(name, 40)
    assert losses[-1] < losses[0] - 0.002
    assert losses[-1] == min(losses)


@pytest.mark.parametrize("line_search", ["strong_wolfe", None])
def test_lbfgs_reaches_the_minimum_in_few_steps(line_search: str | None) -> None:
    """Separable classes have none, hence least squares with its closed form."""
    cls, options = settings("lbfgs", line_search_fn=line_search)
    torch.manual_seed(0)
    a = torch.randn(30, 6, dtype=torch.float64)
    b = torch.randn(30, dtype=torch.float64)
    w = nn.Parameter(torch.zeros(6, dtype=torch.float64))
    optimizer = cls([w], **options)

    def closure() -> torch.Tensor:
        w.grad = 2 * a.T @ (a @ w.detach() - b) / len(b)
        return ((a @ w.detach() - b) ** 2).mean()

    for _ in range(5):
        optimizer.step(closure)
    solution = torch.linalg.lstsq(a, b).solution
    torch.testing.assert_close(w.detach(), solution, rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", OURS)
def test_a_run_continued_from_a_saved_state_is_bitwise_the_same(
    name: str, dtype: torch.dtype, tmp_path: Path
) -> None:
    """Saved as a checkpoint is: to a file, read with weights only.

    But torch's nadam in float64: its product of momenta is kept in float32, and
    ``load_state_dict`` turns it into the type of the weights, in which it then goes on.
    """
    cls, options = settings(name)
    steps, half = 12, 5
    torch.manual_seed(0)
    x, y = torch.randn(40, 4, dtype=dtype), torch.randn(40, 2, dtype=dtype)

    def fresh() -> tuple[nn.Module, Optimizer]:
        torch.manual_seed(1)
        model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)).to(dtype)
        groups = parameter_groups(model, weight_decay=options.get("weight_decay"))
        return model, cls(groups, **options)

    def go(model: nn.Module, optimizer: Optimizer, count: int) -> None:
        def closure(gradient: bool = True) -> torch.Tensor:
            optimizer.zero_grad()
            with torch.enable_grad():
                loss = ((model(x) - y) ** 2).mean()
                loss.backward()
            return loss.detach()

        for _ in range(count):
            closure()
            optimizer.step(closure)

    whole = fresh()
    go(*whole, steps)
    first = fresh()
    go(*first, half)
    torch.save([part.state_dict() for part in first], tmp_path / "c.pt")
    second = fresh()
    for part, state in zip(second, torch.load(tmp_path / "c.pt", weights_only=True), strict=True):
        part.load_state_dict(state)
    go(*second, steps - half)
    for p, q in zip(whole[0].parameters(), second[0].parameters(), strict=True):
        if name == "nadam" and dtype is torch.float64:
            assert 0 < (p - q).abs().max() < 1e-8
        else:
            assert torch.equal(p, q)


@pytest.mark.parametrize("name", OURS)
def test_every_yaml_describes_itself_and_has_bounds_around_its_rate(name: str) -> None:
    text = (conf_dir() / "optimizer" / f"{name}.yaml").read_text()
    comment = text.split("_target_")[0].splitlines()
    assert len(members("optimizer")[name]) > 40
    assert len(comment) >= 4
    search = yaml.safe_load((conf_dir() / "search" / f"{name}.yaml").read_text())
    (rate,) = [d for d in space_of(search, name).dimensions if d.key == "lr"]
    section = yaml.safe_load(text)
    assert rate.low <= section["lr"] <= rate.high
    assert set(search.get("optimizer", {})) <= set(section)
