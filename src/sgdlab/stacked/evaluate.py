"""Loss and metric of many runs over a whole split."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from sgdlab.datasets.base import Split
from sgdlab.metrics.base import Metric
from sgdlab.metrics.by_task import Accuracy, RootMeanSquare
from sgdlab.stacked.form import ModelForm
from sgdlab.stacked.general.loss import GeneralLoss
from sgdlab.stacked.losses import StackedLoss
from sgdlab.training.evaluation import Evaluation

# Examples in one forward pass, at most: what many runs keep for a thousand does not fit the cache.
CHUNK = 128


class _Together:
    """Accuracy or rmse of all runs in one operation."""

    def __init__(self, metric: Metric, runs: int, split: Split) -> None:
        self._metric, self._split = metric, split
        self._score = torch.zeros(runs, dtype=torch.float64, device=split.x.device)

    def add(self, output: Tensor, y: Tensor, target: Tensor) -> None:
        if isinstance(self._metric, RootMeanSquare):
            error = (output.double() - target.double()) * self._metric.scale.scale
            self._score += error.square().sum((1, 2))
        else:
            self._score += (output.argmax(dim=2) == y).sum(1)

    def values(self, losses: list[float]) -> list[float]:
        if isinstance(self._metric, RootMeanSquare):
            return (self._score / self._split.y.numel()).sqrt().tolist()
        return (self._score / len(self._split.y)).tolist()


class _OneByOne:
    """Any metric: one of each run."""

    def __init__(self, metric: Metric, runs: int, split: Split) -> None:
        self._metrics = [copy.deepcopy(metric) for _ in range(runs)]
        for own in self._metrics:
            own.begin(split.x.device)

    def add(self, output: Tensor, y: Tensor, target: Tensor) -> None:
        for own, rows in zip(self._metrics, output, strict=True):
            own.add(rows, y)

    def values(self, losses: list[float]) -> list[float]:
        return [own.value(loss) for own, loss in zip(self._metrics, losses, strict=True)]


@torch.no_grad()
def evaluate(
    model: ModelForm,
    params: Sequence[Tensor],
    loss: StackedLoss,
    metric: Metric,
    split: Split,
    batch_size: int,
) -> list[Evaluation]:
    """Evaluate every run on all examples of ``split``; see `sgdlab.training.evaluation.evaluate`.

    Args:
        model: The stacked model, with the running statistics of the runs.
        params: The stacked parameters.
        loss: The stacked loss.
        metric: The metric.
        split: The inputs as the model takes them, and the targets.
        batch_size: The largest number of examples in one forward pass.
    """
    runs = len(params[0])
    known = type(metric) in (Accuracy, RootMeanSquare) and not isinstance(loss, GeneralLoss)
    score = (_Together if known else _OneByOne)(metric, runs, split)
    total = torch.zeros(runs, dtype=torch.float64, device=split.x.device)
    counted: Tensor | float = 0
    size = min(batch_size, CHUNK) if loss.is_sure else batch_size
    for x, y in split.batches(size):
        output = model.forward(params, x.expand(runs, *x.shape))
        targets = y.expand(runs, *y.shape)
        target, count = loss.target(targets), loss.counts(targets)
        total += loss.value(output, target).double() * count
        counted = counted + count
        score.add(output, y, target)
    losses = (total / counted).tolist()
    return [Evaluation(*pair) for pair in zip(losses, score.values(losses), strict=True)]
