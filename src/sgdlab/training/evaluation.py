"""Loss and metric of a model over a whole split."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sgdlab.datasets.base import Dataset, Split


class Evaluation(NamedTuple):
    """Mean loss over a split and its metric: accuracy as a fraction, rmse in target units, gap."""

    loss: float
    metric: float


@torch.no_grad()
def evaluate(
    model: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    data: Dataset,
    split: Split,
    batch_size: int,
    bf16: bool = False,
) -> Evaluation:
    """Evaluate ``model`` in eval mode on every example of ``split``, and restore its mode.

    ``loss`` is a mean over examples; parts are weighted by their size, so the result is the mean
    over the split. ``accuracy = correct / n``; ``rmse = sqrt(sum((p - y)^2 * scale^2) / n_values)``
    with the scale of the targets before standardisation; ``gap = loss - optimum`` of a test
    problem, whose loss is averaged in float64. The values of the examples have the precision of
    the run: in float32 a gap below about ``1e-7 · |f*|`` is rounding, and may be negative. Measure
    rates with ``dtype=float64``, which resolves ``1e-16 · |f*|``.

    Args:
        model: The model, on the device of ``split``.
        loss: The loss, called ``loss(output, target)``.
        data: The dataset, for its metric and the scale of its targets.
        split: The inputs ``[n, ...]`` and targets ``[n, ...]``.
        batch_size: The number of examples in one forward pass.
        bf16: Whether the forward pass is autocast, as in training.
    """
    was_training = model.training
    model.eval()
    total = torch.zeros((), dtype=torch.float64, device=split.x.device)
    score = torch.zeros((), dtype=torch.float64, device=split.x.device)
    for x, y in zip(split.x.split(batch_size), split.y.split(batch_size), strict=True):
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
            output = model(x)
            if data.metric == "gap":
                output = output.double()
            value = loss(output, y)
        total += value.double() * len(y)
        if data.metric == "accuracy":
            score += (output.argmax(dim=1) == y).sum()
        elif data.metric == "rmse":
            error = (output.double() - y.double().reshape(output.shape)) * data.target_scale
            score += error.square().sum()
    model.train(was_training)
    mean = float(total / len(split.y))
    if data.problem is not None:
        return Evaluation(mean, mean - data.problem.optimum)
    if data.metric == "accuracy":
        return Evaluation(mean, float(score / len(split.y)))
    return Evaluation(mean, float((score / split.y.numel()).sqrt()))
