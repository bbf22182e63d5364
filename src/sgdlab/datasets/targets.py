"""Targets in the form that their task has, and what they are where nobody says it."""

import torch
from torch import Tensor

from sgdlab.datasets.tasks import Task
from sgdlab.errors import InputError

_FEW = 10
"""Whole numbers of so few different values, written as floats, may be classes or quantities."""


def task_of(y: Tensor, where: str) -> Task:
    """Return the task that targets are certain to belong to.

    Integers are classes, fractions are quantities. Floating numbers that are all whole may be
    either, such as labels from a column that once had a missing value.

    Raises:
        InputError: Nobody could tell; says how to say it.
    """
    if not y.is_floating_point():
        return "classification"
    if not torch.equal(y, y.round()):
        return "regression"
    found: list[float] = y.unique().tolist()
    if len(found) > _FEW or len(found) == 1:
        return "regression"
    some = ", ".join(f"{value:g}" for value in found[:4]) + (", …" if len(found) > 4 else "")
    zero_one = found == [0.0, 1.0]
    if y.ndim == 2 and y.shape[1] > 1:
        options = "task=multilabel or task=regression" if zero_one else "task=regression"
        raise InputError(
            f"{where} holds only {some} in {y.shape[1]} columns, as floating numbers: set "
            f"{options} (one of the columns for each example: y.argmax(1) gives classes)"
        )
    raise InputError(
        f"{where} holds only {some}, as floating numbers: set task=classification if they are "
        "classes, task=regression if they are quantities, task=counts if they count events"
    )


def as_targets(y: Tensor, task: Task, where: str) -> Tensor:
    """Return targets in the form of their task, and refuse what no loss could be computed from.

    Args:
        y: The targets as they were given.
        task: The task.
        where: What messages call them.

    Returns:
        int64 ``[n]`` of classes, ``[n, context]`` of tokens; floating ``[n, outputs]`` of labels,
        quantities and counts; for ``custom`` what was given, smaller integers as int64.

    Raises:
        InputError: Another shape, fractions of classes, labels besides 0 and 1, negative counts.
    """
    if task == "custom":
        return y if y.is_floating_point() or y.dtype == torch.bool else y.long()
    if task == "classification":
        return _classes(y, where)
    if task == "language":
        return _tokens(y, where)
    if y.ndim > 2 or y[:1].numel() == 0:
        raise InputError(f"{where} has shape {list(y.shape)}: expected [n] or [n, outputs]")
    y = y if y.is_floating_point() else y.float()
    if task == "multilabel" and not bool(((y == 0) | (y == 1)).all()):
        raise InputError(f"{where} holds values besides 0 and 1, and task=multilabel needs those")
    if task == "counts" and not bool(((y >= 0) & (y == y.round())).all()):
        raise InputError(f"{where} holds negative or broken numbers, and task=counts needs counts")
    # Always [n, outputs], like the outputs of a model: [n] - [n, 1] would broadcast to [n, n].
    return y.reshape(len(y), -1)


def _classes(y: Tensor, where: str) -> Tensor:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise InputError(
            f"{where} has shape {list(y.shape)}: expected one class per example, [n] "
            "(one-hot: y.argmax(1); several labels each: task=multilabel; "
            "regression: floating numbers; anything else: task=custom)"
        )
    if y.is_floating_point() and not torch.equal(y, y.round()):
        raise InputError(f"{where} holds fractions, and task=classification needs whole numbers")
    return y.long()


def _tokens(y: Tensor, where: str) -> Tensor:
    if y.ndim != 2 or y[:1].numel() == 0:
        what = "expected the next tokens, [n, context]"
        raise InputError(f"{where} has shape {list(y.shape)}: {what}")
    if y.is_floating_point() or bool((y < 0).any()):
        raise InputError(f"{where} must be tokens, integers from 0, for task=language")
    return y.long()


def require_variety(y: Tensor, task: Task, where: str) -> None:
    """Refuse targets with nothing to learn, and classes with gaps.

    Raises:
        InputError: One value only, or classes that are not 0..k-1.
    """
    if task == "custom":
        return
    found: list[int | float] = y.unique().tolist()
    if len(found) == 1:
        what = "class" if task == "classification" else "value"
        raise InputError(f"{where}: y has only one {what}, {found[0]:g}: nothing to learn")
    if task == "classification" and found != list(range(len(found))):
        some = ", ".join(map(str, found[:6])) + (", …" if len(found) > 6 else "")
        raise InputError(
            f"{where}: classes must be 0..{len(found) - 1} without gaps, found {some} "
            "(np.unique(y, return_inverse=True) renumbers; regression: y.astype('float32'), "
            "or task=regression; numbers of events: task=counts)"
        )
