"""The metric that follows the task."""

from sgdlab.metrics.base import Metric, Scale, require_task
from sgdlab.metrics.by_task import Accuracy, Deviance, LossItself, RootMeanSquare
from sgdlab.metrics.of_tokens import Perplexity


def auto(
    task: str, scale: Scale, minimum: float, threshold: float = 0.0, ignored: int = -100
) -> Metric:
    """Return the metric of a task; the table is in `sgdlab.datasets.tasks`.

    Args:
        task: The task of the dataset.
        scale: How standardised targets become quantities.
        minimum: The optimum of a test problem; 0 for others.
        threshold: What a single output is compared with; see `Accuracy`.
        ignored: The label that the loss leaves out.
    """
    match task:
        case "classification" | "multilabel":
            return Accuracy(threshold, ignored)
        case "language":
            return Perplexity(ignored)
        case "regression":
            return RootMeanSquare(scale)
        case "counts":
            return Deviance()
        case "optimization":
            return LossItself(minimum, name="gap")
        case _:
            return LossItself()


def accuracy(task: str, threshold: float = 0.0, ignored: int = -100) -> Metric:
    """Return the fraction of the labels that are right, of the tokens in ``task=language``.

    Raises:
        InputError: Targets that are no labels.
    """
    require_task("accuracy", task)
    return Accuracy(threshold, ignored, axis=-1 if task == "language" else 1)


def rmse(task: str, scale: Scale) -> Metric:
    """Return the root of the mean squared error, in the units of the data.

    Raises:
        InputError: Targets that are no quantities.
    """
    require_task("rmse", task)
    return RootMeanSquare(scale)


def objective() -> Metric:
    """Return the loss itself as the metric."""
    return LossItself()
