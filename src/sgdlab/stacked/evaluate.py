"""Loss and metric of many runs over a whole split."""

from collections.abc import Sequence

import torch
from torch import Tensor

from sgdlab.datasets.base import Dataset, Split
from sgdlab.stacked.losses import StackedLoss
from sgdlab.stacked.model import StackedModel
from sgdlab.training.evaluation import Evaluation

# Examples in one forward pass, at most: what many runs keep for a thousand does not fit the cache.
CHUNK = 128


@torch.no_grad()
def evaluate(
    model: StackedModel,
    params: Sequence[Tensor],
    loss: StackedLoss,
    data: Dataset,
    split: Split,
    batch_size: int,
) -> list[Evaluation]:
    """Evaluate every run on all examples of ``split``; see `sgdlab.training.evaluation.evaluate`.

    Args:
        model: The stacked model, with the running statistics of the runs.
        params: The stacked parameters.
        loss: The stacked loss.
        data: The dataset, for its metric and the scale of its targets.
        split: The inputs as the model takes them, and the targets.
        batch_size: The largest number of examples in one forward pass.
    """
    runs, n = len(params[0]), len(split.y)
    total = torch.zeros(runs, dtype=torch.float64, device=split.x.device)
    score = torch.zeros_like(total)
    size = min(batch_size, CHUNK)
    for x, y in zip(split.x.split(size), split.y.split(size), strict=True):
        output = model.forward(params, x.expand(runs, *x.shape))
        target = loss.target(y.expand(runs, *y.shape))
        total += loss.value(output, target).double() * len(y)
        if data.metric == "accuracy":
            score += (output.argmax(dim=2) == y).sum(1)
        else:
            error = (output.double() - target.double()) * data.target_scale
            score += error.square().sum((1, 2))
    losses = (total / n).tolist()
    if data.metric == "accuracy":
        metrics = (score / n).tolist()
    else:
        metrics = (score / split.y.numel()).sqrt().tolist()
    return [Evaluation(*pair) for pair in zip(losses, metrics, strict=True)]
