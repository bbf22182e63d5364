"""The loss that follows the task."""

from typing import Literal

from sgdlab.losses.cross_entropy import CrossEntropy
from sgdlab.losses.mean import Mean
from sgdlab.losses.mse import MeanSquaredError


def auto(
    task: Literal["classification", "regression", "optimization"],
) -> CrossEntropy | MeanSquaredError | Mean:
    """Return cross-entropy for classes, squared error for regression, the mean for a problem."""
    if task == "optimization":
        return Mean(task=task)
    return CrossEntropy(task=task) if task == "classification" else MeanSquaredError()
