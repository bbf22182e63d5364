"""Runs on given gradients: by their optimizers one by one, and by their rule in a stack."""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from sgdlab.stacked.rules.base import Rule
from sgdlab.stacked.rules.choose import rule_of
from sgdlab.steps.base import set_rates
from shipped_traits import traits_of_optimizer

SHAPES = ((6,), (1,), (7, 5), (9, 4), (4, 3, 3, 3))
STARTS_AT_ZERO = 3
STEPS = 100


@dataclass(frozen=True)
class Run:
    """A run's optimizer, its data and its schedules; ``momentum`` of a step or None."""

    make: Callable[..., Optimizer]
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    momentum: Callable[[int], float] | None = None

    def rate(self, step: int) -> float:
        """Return a rate that waves; every third run warms up from 0."""
        wave = 1 + 0.5 * math.sin(step / 5 + self.seed)
        return self.settings["lr"] * wave * (min(step / 4, 1) if self.seed % 3 == 1 else 1)

    def weights(self) -> list[Tensor]:
        """Return those before the first step, one tensor of them zero."""
        rng = np.random.default_rng(self.seed)
        drawn = [torch.tensor(rng.normal(size=shape)) for shape in SHAPES]
        drawn[STARTS_AT_ZERO] *= 0
        return drawn

    def optimizer(self, params: Sequence[Tensor]) -> Optimizer:
        """Build it over two groups: vectors do not decay and have a rate of their own."""
        groups = [
            {"params": [p for p in params if p.ndim > 1]},
            {"params": [p for p in params if p.ndim <= 1], "lr_multiplier": 1.5},
        ]
        if "weight_decay" in self.settings:
            groups[1]["weight_decay"] = self.settings.get("vectors_decay", 0.0)
        settings = {k: v for k, v in self.settings.items() if k != "vectors_decay"}
        return self.make(groups, **settings)


@functools.cache
def given_gradients(seed: int) -> list[list[Tensor]]:
    """Return random ones with a drift; one element, some steps and the first may be zero."""
    rng = np.random.default_rng(100 + seed)
    drift = [rng.normal(size=shape) for shape in SHAPES]
    steps = [[torch.tensor(d + rng.normal(size=d.shape)) for d in drift] for _ in range(STEPS)]
    for step, of_step in enumerate(steps):
        for i, g in enumerate(of_step):
            g.view(-1)[0] *= len(SHAPES[i]) == 1
            if (step + i) % 17 == 9 or (step < 2 and seed == 3):
                g *= 0
    return steps


@dataclass
class End:
    """Weights of a run after all steps, and its state by name, both by tensor."""

    weights: list[Tensor]
    state: list[dict[str, Tensor]]


def alone(run: Run, dtype: torch.dtype = torch.float64) -> End:
    """Train with the run's own optimizer."""
    params = [w.to(dtype).requires_grad_() for w in run.weights()]
    optimizer = run.optimizer(params)
    for step, gradients in enumerate(given_gradients(run.seed)):
        for p, g in zip(params, gradients, strict=True):
            p.grad = g.to(dtype)
        set_rates(optimizer, run.rate(step), run.momentum and run.momentum(step))
        optimizer.step()
    return End([p.detach() for p in params], [optimizer.state[p] for p in params])


def stacked(
    runs: Sequence[Run],
    dtype: torch.dtype = torch.float64,
    blocks: Iterable[int] = (STEPS,),
    vmapped: bool = False,
) -> list[End]:
    """Train all runs by their rule, as the engine does.

    Args:
        runs: Their optimizers have the same rule.
        dtype: Of weights and gradients.
        blocks: Numbers of steps whose coefficients are computed at once.
        vmapped: Update by `torch.func.vmap` of the rule instead of the rule on the stack.
    """
    weights = [[w.to(dtype) for w in run.weights()] for run in runs]
    optimizers = [run.optimizer(w) for run, w in zip(runs, weights, strict=True)]
    rules = {rule_of(optimizer) for optimizer in optimizers}
    assert len(rules) == 1, rules
    rule = rules.pop()
    assert isinstance(rule, Rule), rule
    gradients = [given_gradients(run.seed) for run in runs]
    ends = [End([], []) for _ in runs]
    for i in range(len(SHAPES)):
        groups = [_group_of(o, w[i]) for o, w in zip(optimizers, weights, strict=True)]
        kinds = ["own" if rule.decays else str(traits_of_optimizer(o).decay) for o in optimizers]
        given = [torch.stack([g[s][i].to(dtype) for g in gradients]) for s in range(STEPS)]
        start = torch.stack([w[i] for w in weights])
        tensor = _Tensor(rule, runs, groups, kinds, start, given)
        w, state = tensor.train(list(blocks), vmapped)
        for r, end in enumerate(ends):
            end.weights.append(w[r])
            end.state.append({n: s[r] for n, s in zip(rule.slots, state, strict=True)})
    return ends


@dataclass
class _Tensor:
    """One parameter of all runs: ``start`` and each of ``given`` are ``[R, …]``."""

    rule: Rule
    runs: Sequence[Run]
    groups: list[dict[str, Any]]
    kinds: list[str]
    start: Tensor
    given: list[Tensor]

    def train(self, blocks: list[int], vmapped: bool) -> tuple[Tensor, tuple[Tensor, ...]]:
        w, state, carry = self.start, None, {}
        update = self._vmapped if vmapped else self._direct
        step = 0
        for size in blocks:
            h = self._settings(range(step, step + size))
            counts = np.arange(step + 1, step + size + 1)
            coefficients = self.rule.coefficients(h, counts, carry)
            assert all(c.shape == (size, len(self.runs)) for c in coefficients.values())
            assert all(c.shape == (len(self.runs),) for c in carry.values())
            scalars = {name: self._scalars(values) for name, values in coefficients.items()}
            coupled, kept = self._decays(h["lr"])
            for k in range(size):
                c = {name: of_steps[k] for name, of_steps in scalars.items()}
                if state is None:
                    state = self.rule.init(w, c)
                w, g = w * kept[k], self.given[step] + coupled[k] * w
                inputs = [w, g, *state]
                before = [x._version for x in inputs]
                w, state = update(w, g, state, c)
                assert [x._version for x in inputs] == before, "an argument was changed"
                step += 1
        assert step == STEPS
        assert state is not None
        return w, state

    def _settings(self, steps: range) -> dict[str, np.ndarray]:
        of_runs = [self.rule.numbers_of_each(group)[0] for group in self.groups]
        of_steps = [[dict(numbers) for numbers in of_runs] for _ in steps]
        for row, step in zip(of_steps, steps, strict=True):
            for numbers, run, group in zip(row, self.runs, self.groups, strict=True):
                numbers["lr"] = run.rate(step) * group.get("lr_multiplier", 1.0)
                if run.momentum and (numbers.get("momentum") or "beta1" in numbers):
                    name = "momentum" if "momentum" in numbers else "beta1"
                    numbers[name] = run.momentum(step)
        return {n: np.array([[d[n] for d in row] for row in of_steps]) for n in of_steps[0][0]}

    def _scalars(self, values: np.ndarray) -> tuple[Tensor, ...]:
        """Return those of each step, ``[R, 1, …]``."""
        ones = [1] * (self.start.ndim - 1)
        return torch.tensor(values, dtype=self.start.dtype).reshape(*values.shape, *ones).unbind()

    def _decays(self, lr: np.ndarray) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return the coupled decays and the factors of the decoupled ones, by step."""
        decay = np.array([group.get("weight_decay", 0.0) for group in self.groups])
        coupled, decoupled = (decay * (np.array(self.kinds) == k) for k in ("coupled", "decoupled"))
        return self._scalars(0 * lr + coupled), self._scalars(1 - lr * decoupled)

    def _direct(self, w: Tensor, g: Tensor, state: Any, c: dict[str, Tensor]) -> Any:
        dims = tuple(range(1, w.ndim))
        norm = lambda x: torch.linalg.vector_norm(x, dim=dims, keepdim=True)  # noqa: E731
        return self.rule.update(w, g, state, c, norm)

    def _vmapped(self, w: Tensor, g: Tensor, state: Any, c: dict[str, Tensor]) -> Any:
        scalars = {name: values.reshape(-1) for name, values in c.items()}
        update = lambda *of_run: self.rule.update(*of_run, torch.linalg.vector_norm)  # noqa: E731
        return torch.func.vmap(update)(w, g, state, scalars)


def _group_of(optimizer: Optimizer, w: Tensor) -> dict[str, Any]:
    return next(g for g in optimizer.param_groups if any(p is w for p in g["params"]))


def numbered(runs: Iterable[Run]) -> list[Run]:
    """Give each run a seed of its own."""
    return [replace(run, seed=seed) for seed, run in enumerate(runs)]


def largest_gap(end: End, other: End, state: bool = True) -> float:
    """Return the largest difference over the largest value of its tensor, in weights and state.

    State that ``other`` does not have (a buffer that plain SGD has no use for) is passed over.
    """
    pairs = list(zip(end.weights, other.weights, strict=True))
    if state:
        for ours, theirs in zip(end.state, other.state, strict=True):
            pairs += [(s, theirs[name]) for name, s in ours.items() if name in theirs]
    assert all(a.dtype == b.dtype and b.isfinite().all() for a, b in pairs)
    return max(float((a - b).abs().max() / b.abs().max().clamp(min=1e-300)) for a, b in pairs)


def same_bits(end: End, other: End) -> bool:
    """Say whether two ends agree in every bit, signs of zeros excepted."""
    pairs = list(zip(end.weights, other.weights, strict=True))
    for ours, theirs in zip(end.state, other.state, strict=True):
        pairs += [(s, theirs[name]) for name, s in ours.items()]
    return all(torch.equal(a, b) for a, b in pairs)
