"""Activations whose kernels round the last elements of a block otherwise than the others.

By torch's own a run's bits would depend on its place in the stack, where the elements of a run are
no whole number of blocks. These are made of operations that treat all elements alike: products,
sums, ``tanh``, ``erf``, ``exp`` and ``log``.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK = 256
"""A multiple of the elements that the kernels of any CPU compute at once."""


def sigmoid(input: Tensor) -> Tensor:
    """Return ``1 / (1 + exp(-x)) = ½·tanh(x/2) + ½``, whose gradient is finite everywhere."""
    return torch.tanh(input * 0.5) * 0.5 + 0.5


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``x·σ(x)``."""
    return _given(input, input * sigmoid(input), inplace)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Return ``x·Φ(x)``, or its approximation by ``tanh``."""
    if approximate == "none":
        return input * (torch.erf(input * math.sqrt(0.5)) * 0.5 + 0.5)
    inner = (input + input * input * input * 0.044715) * math.sqrt(2 / math.pi)
    return input * (torch.tanh(inner) * 0.5 + 0.5)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return ``x`` above zero, and ``α·(exp(x) - 1)`` below."""
    low = torch.expm1(input.clamp(max=0)) * alpha
    return _given(input, torch.where(input > 0, input, low), inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """Return ``x`` above zero, and ``α·(exp(x/α) - 1)`` below."""
    low = torch.expm1(input.clamp(max=0) / alpha) * alpha
    return _given(input, torch.where(input > 0, input, low), inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``λ·elu(x)`` with the constants of Klambauer et al. (2017)."""
    return _given(input, elu(input, 1.6732632423543772) * 1.0507009873554805, inplace)


def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Return ``log(1 + exp(β·x))/β``, and ``x`` where ``β·x`` is above the threshold."""
    x = input * beta
    soft = torch.log1p(torch.exp(x.clamp(max=threshold))) / beta
    return torch.where(x > threshold, input, soft)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """Return ``x·tanh(softplus(x))``."""
    return _given(input, input * torch.tanh(softplus(input)), inplace)


def _given(input: Tensor, value: Tensor, inplace: bool) -> Tensor:
    return input.copy_(value) if inplace else value


FORMS: dict[Any, Callable[..., Tensor]] = {
    torch.sigmoid: sigmoid,
    torch.Tensor.sigmoid: sigmoid,
    F.sigmoid: sigmoid,
    F.silu: silu,
    F.gelu: gelu,
    F.elu: elu,
    F.celu: celu,
    F.selu: selu,
    F.softplus: softplus,
    F.mish: mish,
}
"""By the function of torch that each stands for."""
