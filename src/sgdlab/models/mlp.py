"""A multi-layer perceptron."""

import math
from collections.abc import Sequence
from typing import Literal

from torch import nn

from sgdlab.checks import require_whole
from sgdlab.models.parts import Flatten, dense, dense_roles
from sgdlab.parametrization import Width


class MLP(nn.Sequential):
    """Hidden layers ``h <- dropout(φ(norm(W·h + b)))`` on the flattened input, then a linear one.

    Args:
        input_shape: The shape of one example; any will do.
        num_outputs: Classes, or regression targets.
        hidden: Widths of the hidden layers; none makes it linear.
        activation: ``φ``: relu, tanh, gelu, silu, sigmoid, leaky_relu or elu.
        batch_norm: Normalise over the batch before ``φ`` (Ioffe and Szegedy 2015); a batch of one
            example cannot be normalised.
        dropout: Probability that a hidden unit is zeroed in training (Srivastava et al. 2014).
        mup_base_width: Width of the hidden layers of the model that settings are tuned on; it has
            an effect under ``parametrization=mup`` only, which equals ``standard`` there.
        parametrization: ``standard``, or ``mup``: settings tuned at the base width hold at any
            other (`sgdlab.parametrization`).

    Raises:
        InputError: An impossible setting.
    """

    def __init__(
        self,
        *,
        input_shape: tuple[int, ...],
        num_outputs: int,
        hidden: Sequence[int] = (64, 64),
        activation: str = "relu",
        batch_norm: bool = False,
        dropout: float = 0.0,
        mup_base_width: int = 64,
        parametrization: Literal["standard", "mup"] = "standard",
    ) -> None:
        base = require_whole("model.mup_base_width", mup_base_width)
        layers = dense(
            math.prod(input_shape),
            hidden,
            num_outputs,
            activation_name=activation,
            batch_norm=batch_norm,
            dropout=dropout,
            base_width=base if parametrization == "mup" else None,
        )
        super().__init__(Flatten(), *layers)
        self._base_width = base

    def width_roles(self) -> dict[str, Width]:
        """Return how each parameter grows with the width; see `sgdlab.parametrization`."""
        return dense_roles(self.named_children(), self._base_width)
