"""Softmax regression or least squares."""

import math

from torch import nn

from sgdlab.models.parts import Flatten


class Linear(nn.Sequential):
    """``o = W·x + b`` on the flattened input: convex with cross-entropy and with squared error.

    With ``loss=cross_entropy`` this is softmax (multinomial logistic) regression, with
    ``loss=mse`` least squares. ``W`` is ``[num_outputs, d]``.

    Args:
        input_shape: The shape of one example; any will do.
        num_outputs: Classes, or regression targets.
        bias: Whether the model has ``b``.
    """

    def __init__(
        self, *, input_shape: tuple[int, ...], num_outputs: int, bias: bool = True
    ) -> None:
        super().__init__(Flatten(), nn.Linear(math.prod(input_shape), num_outputs, bias=bias))
