"""Loss and metric of a model over a whole split."""

from typing import NamedTuple

import torch
from torch import nn

from sgdlab.datasets.base import Split
from sgdlab.metrics.base import Metric
from sgdlab.steps.criterion import Criterion
from sgdlab.steps.precision import autocast


class Evaluation(NamedTuple):
    """Mean loss over a split and its metric: accuracy as a fraction, rmse in target units, …."""

    loss: float
    metric: float


@torch.no_grad()
def evaluate(
    model: nn.Module,
    loss: Criterion,
    metric: Metric,
    split: Split,
    batch_size: int,
    half: torch.dtype | None = None,
) -> Evaluation:
    """Evaluate ``model`` in eval mode on every example of ``split``, and restore its mode.

    ``loss`` is a mean over examples; parts are weighted by what their examples count, so the result
    is the mean over the split. The loss of a test problem is averaged in float64. The values of
    its examples have the precision of the run: in float32 a gap below about ``1e-7 · |f*|`` is
    rounding, and may be negative. Measure rates with ``dtype=float64``, which resolves
    ``1e-16 · |f*|``.

    Args:
        model: The model, on the device of ``split``.
        loss: The loss of a batch.
        metric: The metric; examples count alike in it, whatever they weigh in the loss.
        split: The examples.
        batch_size: The number of examples in one forward pass.
        half: The type that the forward pass is autocast to, as in training; None: it is not.
    """
    was_training = model.training
    model.eval()
    loss.train(False)
    device = split.y.device
    total = torch.zeros((), dtype=torch.float64, device=device)
    counted: float | torch.Tensor = 0
    metric.begin(device)
    for batch in split.batches(batch_size):
        with autocast(device, half):
            value, output = loss.measure(model, batch, exact=True)
        count = loss.total(batch)
        total += value.double() * count
        counted = counted + count
        metric.add(output, batch.y)
    model.train(was_training)
    loss.train(was_training)
    mean = float(total / counted)
    return Evaluation(mean, metric.value(mean))
