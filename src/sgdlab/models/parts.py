"""Layers and checks that the models share."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sgdlab.checks import is_whole, require_number, require_one_of
from sgdlab.errors import InputError
from sgdlab.parametrization import Width

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "sigmoid": nn.Sigmoid,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
}
"""Activations by name, each with torch's default settings."""


class Flatten(nn.Module):
    """Flatten each example to a vector, ``[n, ...] -> [n, d]``; integers are refused."""

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` as ``[n, d]``."""
        require_floats(x)
        return x.flatten(1)


def require_floats(x: Tensor) -> None:
    """Refuse integer inputs, which no dense or convolutional layer takes.

    Raises:
        InputError: Says what to change.
    """
    if not x.is_floating_point():
        raise InputError(
            "integer inputs are taken for tokens, and this model takes quantities: return x as "
            "floating numbers (x.astype('float32')) from the dataset's function, or use model=gpt, "
            "which takes tokens"
        )


def activation(name: object) -> nn.Module:
    """Return a new activation layer.

    Raises:
        InputError: No such name; the nearest are offered.
    """
    return ACTIVATIONS[require_one_of("model.activation", name, ACTIVATIONS)]()


def widths(key: str, values: Any, *, at_least: int = 0) -> list[int]:
    """Check a list of layer widths.

    Raises:
        InputError: Not a list, too short, or not whole numbers from 1.
    """
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise InputError(f"model.{key}={values}: must be a list, such as [{values}]")
    if not all(map(is_whole, values)):
        raise InputError(f"model.{key}={list(values)}: widths must be whole numbers from 1")
    if len(values) < at_least:
        raise InputError(f"model.{key}={list(values)}: needs at least {at_least}")
    return list(values)


class Readout(nn.Linear):
    """The output layer under μP: ``o = W·h / m_in + b``.

    Weights start ``√m_in`` times as large as those of `torch.nn.Linear`, that is with the variance
    of the base model whatever the width; so does the bias. At ``m_in = 1`` this is `nn.Linear`.
    See `sgdlab.parametrization`.

    Args:
        in_features: Width of the last hidden layer.
        out_features: Classes, or regression targets.
        m_in: ``in_features`` over that of the base model.
    """

    def __init__(self, in_features: int, out_features: int, m_in: float) -> None:
        self.m_in = m_in
        super().__init__(in_features, out_features)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw new weights."""
        super().reset_parameters()
        self.weight *= self.m_in**0.5
        self.bias *= self.m_in**0.5

    def forward(self, input: Tensor) -> Tensor:
        """Return the outputs ``[n, out_features]`` of features ``[n, in_features]``."""
        return nn.functional.linear(input / self.m_in, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the settings, for ``print``."""
        return f"{super().extra_repr()}, m_in={self.m_in:g}"


def dense(
    inputs: int,
    hidden: Sequence[int],
    outputs: int,
    *,
    activation_name: str,
    batch_norm: bool,
    dropout: float,
    base_width: int | None = None,
) -> list[nn.Module]:
    """Return the layers of a multi-layer perceptron, the last one linear.

    Each hidden layer is linear, batch norm if asked, activation, dropout if asked. Weights are
    torch's default, uniform in ``±1/√fan_in``.

    With ``base_width``, initial variances and the output multiplier are those of μP
    (`sgdlab.parametrization`): biases start in ``±1/√base_width`` at any width, and the last layer
    is a `Readout`. At the base width the same weights result, bit by bit.

    Raises:
        InputError: An impossible setting.
    """
    require_number("model.dropout", dropout, 0, 1, open_high=True)
    activation(activation_name)
    layers: list[nn.Module] = []
    m_in = 1.0
    for width in widths("hidden", hidden):
        linear = nn.Linear(inputs, width)
        if m_in != 1.0:
            with torch.no_grad():
                linear.bias *= m_in**0.5
        layers.append(linear)
        if batch_norm:
            layers.append(nn.BatchNorm1d(width))
        layers.append(activation(activation_name))
        if dropout:
            layers.append(nn.Dropout(dropout))
        inputs = width
        m_in = width / base_width if base_width is not None else 1.0
    last = nn.Linear(inputs, outputs) if base_width is None else Readout(inputs, outputs, m_in)
    return [*layers, last]


def dense_roles(layers: Iterable[tuple[str, nn.Module]], base_width: int) -> dict[str, Width]:
    """Return the roles of the parameters of `dense` layers.

    Args:
        layers: The layers in their order, each with the prefix of its parameters' names.
        base_width: The width of the hidden layers of the base model.
    """
    named = list(layers)
    last = named[-1][0]
    roles: dict[str, Width] = {}
    m_in: float | None = None  # of the next linear layer; the inputs do not grow
    for name, layer in named:
        for own, p in layer.named_parameters(recurse=False):
            if name == last:
                role = Width("output", m_in) if p.ndim > 1 and m_in else Width("fixed")
            elif p.ndim == 1:
                role = Width("vector", m_out=len(p) / base_width)
            elif m_in is None:
                role = Width("input", m_out=len(p) / base_width)
            else:
                role = Width("hidden", m_in, len(p) / base_width)
            roles[f"{name}.{own}"] = role
        if isinstance(layer, nn.Linear):
            m_in = layer.out_features / base_width
    return roles
