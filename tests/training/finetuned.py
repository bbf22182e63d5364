"""Runs that start at weights which are trained already."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from sgdlab.datasets.base import Split
from sgdlab.steps.criterion import Criterion


def blobs(n: int = 300) -> tuple[Tensor, Tensor]:
    """Return two classes that are far apart, on the first axis."""
    y = torch.arange(n) % 2
    noise = torch.randn(n, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return noise * 0.01 + 5 * (2 * y[:, None] - 1), y


def finetuned(run, loss, data, scale: float, head: nn.Module | None = None):
    """Put other data, another loss and trained weights into a run of a linear model.

    Args:
        run: The built run.
        loss: The loss.
        data: Inputs ``[n, 2]`` and two classes, as `blobs` gives them.
        scale: The outputs are ``±scale`` times the first input.
        head: What follows the linear layer, without parameters.
    """
    x, y = data
    linear = next(m for m in run.model.modules() if isinstance(m, nn.Linear))
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[-scale, 0.0], [scale, 0.0]]))
        linear.bias.zero_()
    if head is not None:
        plain = run.model.forward
        run.model.forward = lambda inputs: head(plain(inputs))
    run.objective.loss = Criterion(loss)
    split = Split(x, y)
    run.data = replace(run.data, train=split, val=split, test=split)
    run.plan = type(run.plan).of(64, 1, len(y), 1)
    run.total_steps = 5 * run.plan.steps_per_epoch
    return run
