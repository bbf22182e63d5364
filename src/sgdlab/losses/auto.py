"""The loss that follows the task."""

from typing import Any

from sgdlab.errors import InputError
from sgdlab.losses.binary_cross_entropy import BinaryCrossEntropy
from sgdlab.losses.cross_entropy import CrossEntropy
from sgdlab.losses.mean import Mean
from sgdlab.losses.mse import MeanSquaredError
from sgdlab.losses.poisson import Poisson


def auto(task: str) -> Any:
    """Return the loss of a task; the table is in `sgdlab.datasets.tasks`.

    Raises:
        InputError: A task that only a loss of the user's goes with.
    """
    match task:
        case "classification" | "language":
            return CrossEntropy(task=task)
        case "multilabel":
            return BinaryCrossEntropy(task=task)
        case "regression":
            return MeanSquaredError()
        case "counts":
            return Poisson(task=task)
        case "optimization":
            return Mean(task=task)
        case _:
            raise InputError(
                f"task={task} needs a loss of your own: loss=NAME, with loss/NAME.yaml"
            )


# Of the losses it chooses among for targets that are quantities, all are.
auto.scale_free = True  # type: ignore[attr-defined]
