"""A noisy quadratic that optimizers and update rules written in NumPy are run on, in float64."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

Array = np.ndarray
# (w, gradient function of w, rate, step from 1, memory) -> new w
Rule = Callable[[Array, Callable[[Array], Array], float, int, dict[str, Any]], Array]

SHAPES = ((3, 5), (4,))
STEPS = 100


class Quadratic:
    """Gradients ``h * w + noise_t`` of tensors ``w`` with curvatures ``h`` from 0.1 to 2."""

    def __init__(self, shapes: tuple[tuple[int, ...], ...] = SHAPES, steps: int = STEPS) -> None:
        rng = np.random.default_rng(7)
        self.start = [rng.normal(size=shape) for shape in shapes]
        self._h = [rng.uniform(0.1, 2, size=shape) for shape in shapes]
        self._noise = [[rng.normal(size=shape) for shape in shapes] for _ in range(steps)]

    def gradient(self, tensor: int, step: int) -> Callable[[Array], Array]:
        h, noise = self._h[tensor], self._noise[step - 1][tensor]
        return lambda w: h * w + noise

    def parameters(self) -> list[nn.Parameter]:
        return [nn.Parameter(torch.tensor(w)) for w in self.start]

    def fill(self, params: list[nn.Parameter], step: int) -> Tensor:
        """Put the gradients of a step into ``p.grad``; return the loss at ``params``."""
        loss = 0.0
        for i, p in enumerate(params):
            w = p.detach().numpy().copy()
            p.grad = torch.tensor(self.gradient(i, step)(w))
            loss += float((self._h[i] * w**2 / 2 + self._noise[step - 1][i] * w).sum())
        return torch.tensor(loss, dtype=torch.float64)


def scheduled(lr: float, steps: int = STEPS) -> list[float]:
    """Return rates that fall by a wave and, half-way, by ten at once."""
    return [lr * (1.5 + np.sin(t / 5)) * (0.1 if t > steps // 2 else 1.0) for t in range(steps)]


_quadratic = functools.cache(Quadratic)


def run(
    optimizer: Optimizer, params: list[nn.Parameter], rates: list[float], first: int = 1
) -> None:
    """Make a step for each rate; optimizers that evaluate themselves get a closure."""
    problem = _quadratic(tuple(p.shape for p in params))
    for step, lr in enumerate(rates, first):
        for group in optimizer.param_groups:
            group["lr"] = lr * group.get("lr_multiplier", 1.0)
        if hasattr(optimizer, "_look_ahead"):
            optimizer.step(lambda gradient=True, step=step: problem.fill(params, step))
        else:
            problem.fill(params, step)
            optimizer.step()


def run_rule(rule: Rule, rates: list[float]) -> list[Array]:
    """Return where a rule written by hand ends."""
    problem = Quadratic()
    ends = []
    for i, w in enumerate(problem.start):
        memory: dict[str, Any] = {}
        for step, lr in enumerate(rates, 1):
            w = rule(w, problem.gradient(i, step), lr, step, memory)
        ends.append(w)
    return ends


def largest_gap(params: list[nn.Parameter], ends: list[Array]) -> float:
    return max(
        float(np.abs(p.detach().numpy() - w).max()) for p, w in zip(params, ends, strict=True)
    )


def continued_equals_uninterrupted(make: Callable[[list[nn.Parameter]], Optimizer]) -> None:
    """Assert that saving, loading into a new optimizer and going on changes no bit."""
    rates = scheduled(0.01)
    whole = Quadratic().parameters()
    run(make(whole), whole, rates)

    first = Quadratic().parameters()
    before = make(first)
    run(before, first, rates[:37])
    second = [nn.Parameter(p.detach().clone()) for p in first]
    after = make(second)
    after.load_state_dict(before.state_dict())
    run(after, second, rates[37:], first=38)
    assert all(torch.equal(p, q) for p, q in zip(whole, second, strict=True))


def state_bytes(optimizer: Optimizer) -> int:
    tensors = [t for s in optimizer.state.values() for t in s.values() if isinstance(t, Tensor)]
    return sum(t.numel() * t.element_size() for t in tensors)
