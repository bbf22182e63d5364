"""A multi-layer perceptron."""

import math
from collections.abc import Sequence

from torch import nn

from sgdlab.models.parts import Flatten, dense


class MLP(nn.Sequential):
    """Hidden layers ``h <- dropout(φ(norm(W·h + b)))`` on the flattened input, then a linear one.

    Args:
        input_shape: Of one example; any.
        num_outputs: Classes, or regression targets.
        hidden: Widths of the hidden layers; none makes it linear.
        activation: ``φ``: relu, tanh, gelu, silu, sigmoid, leaky_relu or elu.
        batch_norm: Normalise over the batch before ``φ`` (Ioffe and Szegedy 2015); a batch of one
            example cannot be normalised.
        dropout: Probability that a hidden unit is zeroed in training (Srivastava et al. 2014).

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
    ) -> None:
        layers = dense(
            math.prod(input_shape),
            hidden,
            num_outputs,
            activation_name=activation,
            batch_norm=batch_norm,
            dropout=dropout,
        )
        super().__init__(Flatten(), *layers)
