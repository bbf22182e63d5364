"""What a dataset's function returns, and what a run works with."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from sgdlab.datasets.problem import Problem

Task = Literal["classification", "regression", "optimization"]
Metric = Literal["accuracy", "rmse", "gap"]

_METRICS: dict[Task, Metric] = {
    "classification": "accuracy",
    "regression": "rmse",
    "optimization": "gap",
}


@dataclass(frozen=True)
class Examples:
    """All examples of a dataset, before they are split and standardised.

    A function of your own may also return the plain pair ``(x, y)``.

    Attributes:
        x: Inputs ``[n, ...]``; images as ``[n, channels, height, width]``. Integer inputs
            (tokens) are never standardised.
        y: Class labels ``0..k-1`` as int64 ``[n]``, or regression targets as float32 ``[n]`` or
            ``[n, outputs]``; of a test problem any numbers, which nobody reads.
        task: None: classification for integer ``y``, regression for floating ``y``;
            ``optimization`` for a test problem.
        test: An official test split ``(x, y)``, kept as the test split.
        problem: The function to minimise, whose ``f_i`` the rows of ``x`` select. Such examples
            are neither split nor standardised: every split is all of them.
    """

    x: Tensor
    y: Tensor
    task: Task | None = None
    test: tuple[Tensor, Tensor] | None = None
    problem: Problem | None = None


class Split(NamedTuple):
    """Inputs ``x [n, *input_shape]`` and targets ``y``: ``[n]`` classes or ``[n, outputs]``."""

    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Dataset:
    """A dataset ready for training: split, and standardised by its training split.

    Attributes:
        name: The name that was chosen on the command line.
        task: ``classification``, ``regression`` or ``optimization``.
        input_shape: Shape of one input.
        num_outputs: Classes, or values per regression target.
        train: The training split. Examples are in a random order that the split seed fixes, so
            the first ones of a split are a random sample of it.
        val: The validation split.
        test: The test split.
        target_scale: What one unit of a standardised regression target is in the units of the
            data, a float or ``[outputs]``; 1.0 for classes.
        fingerprint: SHA-256 over dtype, shape and bytes of the six tensors, and of a problem's
            starting point and constants as float32.
        problem: The function to minimise, for the task ``optimization``.
    """

    name: str
    task: Task
    input_shape: tuple[int, ...]
    num_outputs: int
    train: Split
    val: Split
    test: Split
    target_scale: float | Tensor
    fingerprint: str
    problem: Problem | None = None

    @property
    def metric(self) -> Metric:
        """The metric: ``accuracy`` as a fraction, ``rmse`` in the data's units, or ``gap``."""
        return _METRICS[self.task]

    @property
    def metric_direction(self) -> Literal["max", "min"]:
        """Whether more (``max``) or less (``min``) of the metric is better."""
        return "max" if self.task == "classification" else "min"

    def to(self, device: torch.device | str, dtype: torch.dtype) -> "Dataset":
        """Return the dataset on ``device`` with its floating tensors as ``dtype``.

        Integer inputs and class labels keep their type; the fingerprint stays that of the data
        as prepared, so that it is the same on every device.
        """

        def moved(tensor: Tensor) -> Tensor:
            return tensor.to(device, dtype if tensor.is_floating_point() else None)

        scale = self.target_scale
        return replace(
            self,
            train=Split(*map(moved, self.train)),
            val=Split(*map(moved, self.val)),
            test=Split(*map(moved, self.test)),
            target_scale=moved(scale) if isinstance(scale, Tensor) else scale,
        )
