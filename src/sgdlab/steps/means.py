"""What several workers become when they are averaged."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor


def mean_of(values: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Return ``Σ_k w_k x_k``, a new tensor; of whole numbers and bool the largest.

    A weight of 0 leaves a value out, also one that is not finite, as in a mask.
    """
    first = values[0]
    if not (first.is_floating_point() or first.is_complex()):
        return torch.stack(list(values)).amax(0)
    mean = torch.zeros_like(first)
    for value, weight in zip(values, weights, strict=True):
        if weight:
            mean.add_(value, alpha=weight)
    return mean


def state_of(
    p: Tensor, states: Sequence[Mapping[str, Any]], weights: Sequence[float]
) -> dict[str, Any]:
    """Return what the workers' optimizers remember of a parameter, averaged: all of their keys.

    Tensors become ``Σ_k w_k x_k``; where a worker has none yet it counts as zeros, which is what
    momenta start from. Counters of steps, which hardly differ, become the largest.

    Args:
        p: The parameter.
        states: By worker, what its optimizer remembers of the parameter.
        weights: Of the workers; they add up to 1.
    """
    found: dict[str, Any] = {}
    for key in dict.fromkeys(key for state in states for key in state):
        held = [state.get(key) for state in states]
        tensors = [value for value in held if torch.is_tensor(value)]
        if not tensors:
            found[key] = agreed([value for value in held if value is not None])
        elif is_count(tensors[0], p):
            found[key] = torch.stack(tensors).amax(0)
        else:
            none = torch.zeros_like(tensors[0])
            found[key] = mean_of([v if torch.is_tensor(v) else none for v in held], weights)
    return found


def is_count(value: Tensor, p: Tensor) -> bool:
    """Say whether a tensor that an optimizer remembers of a parameter counts its steps."""
    return value.ndim == 0 and p.ndim > 0 and not value.is_complex()


def agreed(values: Sequence[Any]) -> Any:
    """Return what workers go on with who remember these, no tensors.

    It is the largest of numbers, else the first; None where there is nothing.
    """
    if values and all(isinstance(value, Real) for value in values):
        return max(values)
    return values[0] if values else None
