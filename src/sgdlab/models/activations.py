"""Activations by name."""

from torch import nn

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


def activation_named(name: str) -> type[nn.Module]:
    """Return the module class of an activation.

    Raises:
        InputError: No such name; offers the nearest.
    """
    if name not in ACTIVATIONS:
        raise InputError(f"activation={name}: {offer(str(name), ACTIVATIONS)}")
    return ACTIVATIONS[name]


def check_widths(key: str, widths: list[int], at_least_one: bool = False) -> None:
    """Refuse layer widths that are not whole numbers from 1."""
    wrong = [w for w in widths if isinstance(w, bool) or not isinstance(w, int) or w < 1]
    if wrong or (at_least_one and not widths):
        raise InputError(f"{key}={list(widths)}: must be whole numbers from 1, such as [16, 32]")


def check_dropout(dropout: float) -> None:
    """Refuse a probability outside [0, 1)."""
    if not 0.0 <= dropout < 1.0:
        raise InputError(f"dropout={dropout}: must be at least 0 and below 1")
