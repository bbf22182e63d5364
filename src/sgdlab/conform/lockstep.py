"""Two optimizers side by side: what each makes of the gradients of a case, and where they part."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sgdlab import signals
from sgdlab.conform.cases import ConformCase
from sgdlab.conform.sides import Side
from sgdlab.errors import InputError, one_line

Weights = dict[str, Tensor]

FORCED_DECAY = 0.1
"""Weight decay of the cases that have it, where neither of the two sets one."""

_ROUNDING = 1e-13
"""Share of a weight that is never a difference: float64 has 2.2e-16, steps add up."""


class Wrap:
    """What happens around each step of an optimizer; this one does nothing."""

    takes_decay = False
    """Whether it applies the weight decay, so that the optimizer has none of its own."""

    def begin(self, case: ConformCase) -> None:
        """Start with a case."""

    def before(self, model: nn.Module, groups: Sequence[dict[str, Any]], start: Weights) -> None:
        """Change gradients or weights before a step; ``start`` are the weights before it."""

    def after(self, model: nn.Module, groups: Sequence[dict[str, Any]], start: Weights) -> None:
        """Change weights after a step; ``start`` are the weights before it."""


@dataclass(frozen=True)
class Lockstep:
    """Two optimizers and how they are tried.

    Attributes:
        a: The one.
        b: The other.
        cases: What they are tried on.
        only: Names of the tensors that are trained; without any, all.
        tolerance: Largest difference that is none, as a share of how far a tensor has moved.
    """

    a: Side
    b: Side
    cases: Sequence[ConformCase]
    only: tuple[str, ...] = ()
    tolerance: float = 1e-9

    @property
    def by_closure(self) -> bool:
        """Whether either evaluates the function itself; then both do, each at its own weights."""
        return self.a.takes_closure or self.b.takes_closure

    def decay_of(self, side: Side) -> float:
        """Return the weight decay of an optimizer in the cases that have it."""
        set_by = [float(s.settings.get("weight_decay") or 0.0) for s in (self.a, self.b)]
        own = float(side.settings.get("weight_decay") or 0.0)
        return own if any(set_by) else FORCED_DECAY

    def prepared(self, side: Side, case: ConformCase, *, is_decayed: bool = True) -> Side:
        """Return an optimizer with the weight decay of a case, if it has such a setting."""
        if not isinstance(side.settings.get("weight_decay"), int | float):
            return side
        decay = self.decay_of(side) if case.decays and is_decayed else 0.0
        return side.with_settings({"weight_decay": decay})


def follow(
    trial: Lockstep, side: Side, case: ConformCase, wrap: Wrap | None = None
) -> Iterator[Weights]:
    """Make the steps of a case; yield copies of the weights after each.

    Raises:
        InputError: The optimizer cannot be built, or a step of it fails.
    """
    model, around = case.model(), wrap or Wrap()
    around.begin(case)
    side = trial.prepared(side, case, is_decayed=not around.takes_decay)
    optimizer = side.build(model, trial.only)
    train = getattr(optimizer, "train", None)
    if callable(train):  # of those that average by themselves: weights are where gradients are
        train()
    drawn = torch.Generator().manual_seed(0).get_state()
    rates = [group.get("lr") for group in optimizer.param_groups]
    for step, factor in enumerate(case.factors):
        for group, rate in zip(optimizer.param_groups, rates, strict=False):
            if isinstance(rate, int | float):
                group["lr"] = rate * factor
        start = copies(model)
        if not trial.by_closure:
            case.put(model, case.gradients[step])

        def evaluate(gradient: bool = True, step: int = step) -> Tensor:
            return case.fill(model, step, gradient)

        try:
            with torch.no_grad():
                around.before(model, optimizer.param_groups, start)
            with torch.random.fork_rng(devices=[]):  # whoever draws, draws the same in every run
                torch.set_rng_state(drawn)
                optimizer.step(evaluate) if trial.by_closure else optimizer.step()  # type: ignore[arg-type]
                drawn = torch.get_rng_state()
            with torch.no_grad():
                around.after(model, optimizer.param_groups, start)
        except Exception as error:
            if signals.is_real(error):
                raise
            raise InputError(
                f"{side.label}: step {step + 1} of the case '{case.name}': {one_line(error)}"
            ) from error
        yield copies(model)


def copies(model: nn.Module) -> Weights:
    """Return copies of a network's weights by name."""
    return {name: p.detach().clone() for name, p in model.named_parameters()}


@dataclass(frozen=True)
class Difference:
    """Where two optimizers part in a case.

    Attributes:
        case: Its name.
        step: The first step after which a tensor differs, from 1.
        tensor: That which differs most there, as a share of its movement.
        shape: Its shape.
        largest: The largest difference of an entry.
        relative: The same as a share of how far the tensor has moved; infinite where it has not.
    """

    case: str
    step: int
    tensor: str
    shape: tuple[int, ...]
    largest: float
    relative: float


def gap(one: Tensor, other: Tensor, start: Tensor) -> tuple[float, float]:
    """Return the largest difference, and the same as a share of the larger movement.

    Differences of the size of rounding count as none. Entries that are NaN in both are equal.
    """
    apart = (one - other).abs()
    both = one.isnan() & other.isnan()
    largest = float(torch.where(both | (one == other), 0.0, apart).nan_to_num(math.inf).max())
    size = max(1.0, float(start.abs().max()))
    if largest <= _ROUNDING * size:
        return 0.0, 0.0
    moved = max(float((t - start).abs().nan_to_num(0.0).max()) for t in (one, other))
    return largest, largest / moved if moved else math.inf


def first_difference(
    trial: Lockstep,
    case: ConformCase,
    one: Iterable[Weights],
    other: Iterable[Weights],
) -> Difference | None:
    """Return where two sequences of weights part for the first time; None: nowhere."""
    start: Mapping[str, Tensor] = copies(case.model())
    for step, (left, right) in enumerate(zip(one, other, strict=False), 1):
        found = [
            Difference(
                case.name, step, name, tuple(left[name].shape), *gap(left[name], right[name], w)
            )
            for name, w in start.items()
        ]
        worst = max(found, key=lambda each: each.relative)
        if worst.relative > trial.tolerance:
            return worst
    return None
