"""Changes that can be made to any optimizer from outside, around its steps."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sgdlab.conform.cases import ConformCase
from sgdlab.conform.lockstep import Weights, Wrap
from sgdlab.terminal.numbers import number

Groups = Sequence[dict[str, Any]]

_BOUNDS = (0.1, 0.5, 1.0, 5.0)


def around(ratio: float | None) -> Iterator[tuple[str, Wrap]]:
    """Yield what can be done around the steps of any optimizer, with words.

    Args:
        ratio: How many times as long the other's first step is, if that is one number.
    """
    yield "turns the sign of the gradient", OnGradients(lambda gs: [-g for g in gs])
    yield "treats a missing gradient as zero", AbsentIsZero()
    yield "takes the rate of the step before", LateRate()
    yield (
        "centralises gradients",
        OnGradients(
            lambda gs: [
                g - g.mean(tuple(range(1, g.ndim)), keepdim=True) if g.ndim > 1 else g for g in gs
            ]
        ),
    )
    if ratio is not None and abs(ratio - 1) > 1e-9:
        yield f"makes steps {number(ratio, 6)} times as long", LongerSteps(ratio)
    for bound in _BOUNDS:
        yield (
            f"clips the global norm of the gradient at {number(bound)}",
            OnGradients(lambda gs, c=bound: _clipped(gs, c)),
        )
        yield (
            f"clips the gradient by clip_grad_norm_ at {number(bound)}",
            OnGradients(lambda gs, c=bound: _clipped(gs, c, 1e-6)),
        )
        yield (
            f"clips the norm of each tensor's gradient at {number(bound)}",
            OnGradients(lambda gs, c=bound: [g for each in gs for g in _clipped([each], c)]),
        )
        yield (
            f"clips each entry of the gradient at {number(bound)}",
            OnGradients(lambda gs, c=bound: [g.clamp(-c, c) for g in gs]),
        )
        yield f"bounds the norm of each tensor at {number(bound)} (max-norm)", MaxNorm(bound)


def _clipped(gradients: list[Tensor], bound: float, more: float = 1e-300) -> list[Tensor]:
    norm = float(torch.stack([g.norm() for g in gradients]).norm())
    return [g * min(1.0, bound / (norm + more)) for g in gradients]


class OnGradients(Wrap):
    """Gradients that are changed before the step.

    Args:
        change: Returns what the optimizer is to see.
    """

    def __init__(self, change: Callable[[list[Tensor]], list[Tensor]]) -> None:
        self._change = change

    def before(self, model: nn.Module, groups: Groups, start: Weights) -> None:
        """Change them in their place."""
        params = [p for p in model.parameters() if p.grad is not None]
        for p, g in zip(params, self._change([p.grad for p in params]), strict=True):  # type: ignore[misc]
            p.grad = g


class AbsentIsZero(Wrap):
    """Zeros where there is no gradient."""

    def before(self, model: nn.Module, groups: Groups, start: Weights) -> None:
        """Put them there."""
        for p in model.parameters():
            if p.grad is None and p.requires_grad:
                p.grad = torch.zeros_like(p)


class LateRate(Wrap):
    """The rate of the step before."""

    def begin(self, case: ConformCase) -> None:
        """Forget the rates of the case before."""
        self._rates: list[float] | None = None

    def before(self, model: nn.Module, groups: Groups, start: Weights) -> None:
        """Put it in the place of this step's."""
        present = [group["lr"] for group in groups]
        for group, rate in zip(groups, self._rates or present, strict=True):
            group["lr"] = rate
        self._rates = present


class LongerSteps(Wrap):
    """Steps that are so many times as long.

    Args:
        ratio: The factor.
    """

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio

    def after(self, model: nn.Module, groups: Groups, start: Weights) -> None:
        """Go on from where the step ended."""
        for name, p in model.named_parameters():
            p.add_(p - start[name], alpha=self._ratio - 1)


class MaxNorm(Wrap):
    """Weights of a bounded norm.

    Args:
        bound: The largest norm of a tensor.
    """

    def __init__(self, bound: float) -> None:
        self._bound = bound

    def after(self, model: nn.Module, groups: Groups, start: Weights) -> None:
        """Shrink what is longer."""
        for p in model.parameters():
            if p.grad is not None:
                p.mul_(min(1.0, self._bound / max(float(p.norm()), 1e-300)))


class WrappedDecay(Wrap):
    """Weight decay outside of the optimizer.

    Args:
        decay: The weight decay of cases that have it.
        kind: ``coupled``, ``decoupled``, ``constant`` (not multiplied by the rate) or ``none``.
        is_after: Whether weights shrink after the step instead of before it.
        of_vectors: Whether tensors of less than two axes decay, too.
    """

    takes_decay = True

    def __init__(
        self, decay: float, kind: str, *, is_after: bool = False, of_vectors: bool = True
    ) -> None:
        self._own, self.decay = decay, decay
        self._kind, self._is_after, self._of_vectors = kind, is_after, of_vectors

    def begin(self, case: ConformCase) -> None:
        """Decay in the cases that have it."""
        self.decay = self._own if case.decays else 0.0

    def before(self, model: nn.Module, groups: Groups, start: Weights) -> None:
        """Add the decay to the gradient, or shrink the weights."""
        if self._kind == "coupled":
            for p in self._decayed(model):
                p.grad = p.grad.add(p, alpha=self.decay)
        elif not self._is_after:
            self._shrink(model, groups)

    def after(self, model: nn.Module, groups: Groups, start: Weights) -> None:
        """Shrink the weights, where that comes after the step."""
        if self._is_after:
            self._shrink(model, groups)

    def _shrink(self, model: nn.Module, groups: Groups) -> None:
        if self._kind != "none":
            rate = 1.0 if self._kind == "constant" else float(groups[0]["lr"])
            for p in self._decayed(model):
                p.mul_(1 - rate * self.decay)

    def _decayed(self, model: nn.Module) -> list[Any]:
        params = [p for p in model.parameters() if p.grad is not None]
        return [p for p in params if self._of_vectors or p.ndim > 1]


DECAYS: dict[str, Callable[[float], WrappedDecay]] = {
    "adds weight decay to the gradient (coupled)": lambda wd: WrappedDecay(wd, "coupled"),
    "adds weight decay to the gradient (coupled) of tensors with two or more axes only": (
        lambda wd: WrappedDecay(wd, "coupled", of_vectors=False)
    ),
    "shrinks the weights by lr · weight_decay before the step (decoupled)": (
        lambda wd: WrappedDecay(wd, "decoupled")
    ),
    "shrinks the weights by lr · weight_decay (decoupled), of tensors with two or more axes only": (
        lambda wd: WrappedDecay(wd, "decoupled", of_vectors=False)
    ),
    "shrinks the weights by lr · weight_decay after the step": (
        lambda wd: WrappedDecay(wd, "decoupled", is_after=True)
    ),
    "shrinks the weights by weight_decay, not multiplied by lr": (
        lambda wd: WrappedDecay(wd, "constant")
    ),
    "applies no weight decay": lambda wd: WrappedDecay(wd, "none"),
}
"""What applies the weight decay in the place of the optimizer, by what is said of it."""
