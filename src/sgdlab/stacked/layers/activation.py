"""Activations of many runs."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sgdlab.stacked.layers.base import Gradients, Layer, Params, Saved

_ops: Any = torch.ops.aten  # pyright knows no operators by name


@dataclass(frozen=True)
class _Activation:
    """``φ(x)``, and its ``backward(d, kept)``, which keeps ``φ(x)`` or ``x``."""

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]
    keeps_output: bool


# torch's kernels of sigmoid, silu, gelu and elu round the last elements of a block differently
# from the others, so a run's bits would depend on its place in the stack: those are made of
# operations that do not (exp, erf, expm1, arithmetic).
def _sigmoid(x: Tensor) -> Tensor:
    return x.neg().exp_().add_(1.0).reciprocal_()


def _sigmoid_backward(d: Tensor, y: Tensor) -> Tensor:
    return d * (1.0 - y) * y


def _silu_backward(d: Tensor, x: Tensor) -> Tensor:
    s = _sigmoid(x)
    return d * (s * (1.0 + x * (1.0 - s)))


def _gelu(x: Tensor) -> Tensor:
    return (x * math.sqrt(0.5)).erf_().add_(1.0).mul_(x).mul_(0.5)


def _gelu_backward(d: Tensor, x: Tensor) -> Tensor:
    cdf = (x * math.sqrt(0.5)).erf_().add_(1.0).mul_(0.5)
    density = (x * x).mul_(-0.5).exp_().mul_(1 / math.sqrt(2 * math.pi))
    return d * (cdf + x * density)


def _leaky_relu(module: nn.LeakyReLU) -> _Activation:
    slope = module.negative_slope
    return _Activation(
        lambda x: nn.functional.leaky_relu(x, slope),
        lambda d, x: _ops.leaky_relu_backward(d, x, slope, False),
        False,
    )


def _elu(module: nn.ELU) -> _Activation:
    alpha = module.alpha
    return _Activation(
        lambda x: x.clamp(min=0) + x.clamp(max=0).expm1_() * alpha,
        lambda d, x: d * (x.clamp(max=0).exp_() * alpha).where(x < 0, torch.ones_like(x)),
        False,
    )


_FORMS: dict[type[nn.Module], Callable[[Any], _Activation]] = {
    nn.ReLU: lambda _: _Activation(torch.relu, lambda d, y: _ops.threshold_backward(d, y, 0), True),
    nn.Tanh: lambda _: _Activation(torch.tanh, _ops.tanh_backward, True),
    nn.Sigmoid: lambda _: _Activation(_sigmoid, _sigmoid_backward, True),
    nn.SiLU: lambda _: _Activation(lambda x: _sigmoid(x).mul_(x), _silu_backward, False),
    nn.GELU: lambda _: _Activation(_gelu, _gelu_backward, False),
    nn.LeakyReLU: _leaky_relu,
    nn.ELU: _elu,
}


class Activation(Layer):
    """An elementwise activation of `sgdlab.models.parts.ACTIVATIONS`."""

    modules = tuple(_FORMS)

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module)
        self._activation = _FORMS[type(module)](module)

    @classmethod
    def refused_setting(cls, module: Any) -> str | None:
        """Refuse the approximate GELU; see `Layer.refused_setting`."""
        approximate = getattr(module, "approximate", "none") != "none"
        return f"{type(module).__name__} has no stacked form" if approximate else None

    def forward(self, params: Params, x: Tensor, train: bool) -> tuple[Tensor, Saved]:
        """See `Layer.forward`."""
        y = self._activation.forward(x)
        return y, (y if self._activation.keeps_output else x,)

    def backward(self, params: Params, saved: Saved, d: Tensor, wants_dx: bool) -> Gradients:
        """See `Layer.backward`."""
        return (self._activation.backward(d, saved[0]) if wants_dx else None), []
