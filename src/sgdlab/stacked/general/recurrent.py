"""LSTM layers as operations that `torch.func.vmap` can map: torch's own kernel it cannot."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from sgdlab.stacked.general.activations import sigmoid

Between = Callable[[Tensor], Tensor]

State = tuple[Tensor, Tensor]


def lstm(
    x: Tensor, state: State, weights: Sequence[Sequence[Tensor]], directions: int, between: Between
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the outputs ``[T, B, d·H]`` of stacked LSTM layers, and the last ``h`` and ``c``.

    ``(i, f, g, o) = W·x_t + b + U·h + c``, ``c <- σ(f)·c + σ(i)·tanh(g)``, ``h <- σ(o)·tanh(c)``
    (Hochreiter and Schmidhuber 1997), as `torch.nn.LSTM` has it.

    Args:
        x: Inputs ``[T, B, features]``.
        state: The first ``h`` and ``c``, ``[layers·d, B, H]``.
        weights: ``W``, ``U`` and, where there are any, both biases, of each layer and direction.
        directions: ``d``, 2 where layers read both ways.
        between: Applied to the outputs of every layer but the last one.
    """
    last: list[State] = []
    for first in range(0, len(weights), directions):
        read: list[Tensor] = []
        for number in range(first, first + directions):
            own = weights[number]
            backwards = number > first
            start = state[0][number], state[1][number]
            steps, end = _layer(x.flip(0) if backwards else x, start, own)
            read.append(steps.flip(0) if backwards else steps)
            last.append(end)
        x = torch.cat(read, -1) if directions > 1 else read[0]
        if first + directions < len(weights):
            x = between(x)
    h, c = (torch.stack(parts) for parts in zip(*last, strict=True))
    return x, h, c


def _layer(x: Tensor, state: State, weights: Sequence[Tensor]) -> tuple[Tensor, State]:
    w, u, *biases = weights
    bias = biases[0] + biases[1] if biases else None
    h, c = state
    found: list[Tensor] = []
    for gates in F.linear(x, w, bias).unbind(0):
        i, f, g, o = (gates + F.linear(h, u)).chunk(4, -1)
        c = sigmoid(f) * c + sigmoid(i) * torch.tanh(g)
        h = sigmoid(o) * torch.tanh(c)
        found.append(h)
    return torch.stack(found), (h, c)
