"""The loss that follows the task."""

from typing import Literal

from sgdlab.losses.cross_entropy import CrossEntropy
from sgdlab.losses.mse import MeanSquaredError


def auto(task: Literal["classification", "regression"]) -> CrossEntropy | MeanSquaredError:
    """Return cross-entropy for classes, mean squared error for regression."""
    return CrossEntropy(task=task) if task == "classification" else MeanSquaredError()
