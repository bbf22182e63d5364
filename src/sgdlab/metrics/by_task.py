"""The metrics that tasks have by themselves."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sgdlab.errors import InputError
from sgdlab.metrics.base import Direction, Scale


def predicted(output: Tensor, target: Tensor, threshold: float = 0.0, axis: int = 1) -> Tensor:
    """Return the classes that outputs stand for.

    The largest of several outputs; of one output class 1 where it is above the threshold. Targets
    of several labels have an output each.

    Args:
        output: ``[n, k]``; ``[n]`` or ``[n, 1]`` for one logit; ``[n, k, …]`` for tokens.
        target: Classes ``[n]`` or ``[n, …]``, or labels 0/1 ``[n, m]``, which are floating.
        threshold: 0 for logits, a half for probabilities.
        axis: Where the outputs of one example or token lie.

    Raises:
        InputError: Outputs that fit none of these.
    """
    if output.ndim == 1 or output.shape[axis] == 1 or target.is_floating_point():
        if output.numel() != target.numel():
            raise InputError(
                f"metric=accuracy: outputs {list(output.shape)} do not fit targets "
                f"{list(target.shape)}"
            )
        return (output > threshold).to(target.dtype).reshape(target.shape)
    return output.argmax(dim=axis)


@dataclass
class Summed:
    """A metric that is a sum over examples, kept in float64."""

    total: Tensor = field(default_factory=lambda: torch.zeros((), dtype=torch.float64), init=False)
    count: int = field(default=0, init=False)

    def begin(self, device: torch.device) -> None:
        """Forget what was added."""
        self.total = torch.zeros((), dtype=torch.float64, device=device)
        self.count = 0

    def mean(self) -> float:
        """Return the mean of what was added."""
        return float(self.total / self.count)


@dataclass
class Accuracy(Summed):
    """Fraction of the labels that are right: ``correct / n``, of several labels ``/ (n·m)``.

    Attributes:
        threshold: What a single output is compared with: 0 for logits, a half for probabilities.
        ignored: The label of examples and tokens that the loss leaves out, and so does this.
        axis: Where the classes of one example or token lie in the outputs.
    """

    threshold: float = 0.0
    ignored: int = -100
    name: str = "accuracy"
    direction: Direction = "max"
    axis: int = 1

    def add(self, output: Tensor, target: Tensor) -> None:
        """Count what is right."""
        kept = target != self.ignored
        self.total += ((self._predicted(output, target) == target) & kept).sum()
        self.count += int(kept.sum())

    def _predicted(self, output: Tensor, target: Tensor) -> Tensor:
        return predicted(output, target, self.threshold, self.axis)

    def value(self, loss: float) -> float:
        """Return the fraction."""
        return self.mean()


@dataclass
class RootMeanSquare(Summed):
    """``sqrt(Σ (p - y)² · scale² / n)`` in the units of the data, over all values.

    Attributes:
        scale: The scale of the targets before they were standardised.
    """

    scale: Scale = field(default_factory=Scale)
    name: str = "rmse"
    direction: Direction = "min"

    def add(self, output: Tensor, target: Tensor) -> None:
        """Add squared errors."""
        # By shape, not by broadcasting: [n] against [n, 1] would compare all with all.
        found = output.double().exp() if self.scale.log else output.double()
        error = (found - target.double().reshape(output.shape)) * self.scale.scale
        self.total += error.square().sum()
        self.count += target.numel()

    def value(self, loss: float) -> float:
        """Return the root of the mean."""
        return math.sqrt(self.mean())


@dataclass
class Deviance(Summed):
    """Mean Poisson deviance ``2/n · Σ y·log(y/μ) - (y - μ)`` of the means ``μ = exp(output)``."""

    name: str = "deviance"
    direction: Direction = "min"

    def add(self, output: Tensor, target: Tensor) -> None:
        """Add the deviances."""
        log_mean = output.double()
        y = target.double().reshape(output.shape)
        deviance = torch.xlogy(y, y) - y * log_mean - y + log_mean.exp()
        self.total += 2 * deviance.sum()
        self.count += y.numel()

    def value(self, loss: float) -> float:
        """Return the mean."""
        return self.mean()


@dataclass
class LossItself:
    """The loss itself.

    Attributes:
        minimum: What is taken from it: the optimum of a test problem.
    """

    minimum: float = 0.0
    name: str = "objective"
    direction: Direction = "min"

    def begin(self, device: torch.device) -> None:
        """Do nothing."""

    def add(self, output: Tensor, target: Tensor) -> None:
        """Do nothing."""

    def value(self, loss: float) -> float:
        """Return the loss less the minimum."""
        return loss - self.minimum
