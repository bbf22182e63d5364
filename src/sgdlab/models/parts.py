"""Layers and checks that the models share."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from sgdlab.errors import InputError, offer

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
            "floating numbers (x.astype('float32')) from the dataset's function"
        )


def activation(name: object) -> nn.Module:
    """Return a new activation layer.

    Raises:
        InputError: No such name; the nearest are offered.
    """
    if not isinstance(name, str) or name not in ACTIVATIONS:
        raise InputError(f"model.activation={name}: {offer(str(name), ACTIVATIONS)}")
    return ACTIVATIONS[name]()


def widths(key: str, values: Any, *, at_least: int = 0) -> list[int]:
    """Check a list of layer widths.

    Raises:
        InputError: Not a list, too short, or not whole numbers from 1.
    """
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise InputError(f"model.{key}={values}: must be a list, such as [{values}]")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"model.{key}={list(values)}: widths must be whole numbers from 1")
    if len(values) < at_least:
        raise InputError(f"model.{key}={list(values)}: needs at least {at_least}")
    return list(values)


def dense(
    inputs: int,
    hidden: Sequence[int],
    outputs: int,
    *,
    activation_name: str,
    batch_norm: bool,
    dropout: float,
) -> list[nn.Module]:
    """Return the layers of a multi-layer perceptron, the last one linear.

    Each hidden layer is linear, batch norm if asked, activation, dropout if asked. Weights are
    torch's default, uniform in ``±1/√fan_in``.

    Raises:
        InputError: An impossible setting.
    """
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise InputError(f"model.dropout={dropout}: must be a number from 0 to below 1")
    activation(activation_name)
    layers: list[nn.Module] = []
    for width in widths("hidden", hidden):
        layers.append(nn.Linear(inputs, width))
        if batch_norm:
            layers.append(nn.BatchNorm1d(width))
        layers.append(activation(activation_name))
        if dropout:
            layers.append(nn.Dropout(dropout))
        inputs = width
    return [*layers, nn.Linear(inputs, outputs)]
