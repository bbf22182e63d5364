"""Turns whatever a dataset's function returns into checked tensors."""

from typing import Any, cast, get_args

import numpy as np
import torch
from torch import Tensor

from sgdlab.datasets.base import Examples, Task
from sgdlab.datasets.problem import Problem
from sgdlab.errors import InputError, suggest


def to_examples(loaded: object, name: str) -> Examples:
    """Convert and check what a dataset's function returned.

    Tables (pandas), flags and bytes become float32 inputs: they are quantities or pixels. Other
    integer arrays and tensors are taken for tokens and become int64.

    Args:
        loaded: `Examples`, or a pair ``(x, y)`` of NumPy arrays, pandas objects, tensors or lists.
        name: The dataset's name, for messages.

    Returns:
        Examples with ``task`` set, ``x`` of two or more axes, and ``y`` int64 ``[n]`` or float32
        ``[n, outputs]``.

    Raises:
        InputError: Not a pair, not numbers, not finite, of different lengths, or targets that no
            loss could be computed from.
    """
    where = f"dataset={name}"
    if isinstance(loaded, Examples) and (loaded.problem or loaded.task == "optimization"):
        return _of_problem(loaded, where)
    if isinstance(loaded, Examples):
        x, y, task, test = loaded.x, loaded.y, loaded.task, loaded.test
    else:
        x, y = _pair(loaded, where)
        task, test = None, None
    if task not in (None, *get_args(Task)):
        raise InputError(f"{where}: task={task}: {suggest(str(task), get_args(Task))}")

    inputs, targets = _inputs(x, f"{where}: x"), _numbers(y, f"{where}: y")
    _same_length(inputs, targets, where)
    if task is None:
        task = "regression" if targets.is_floating_point() else "classification"
    target = _classes if task == "classification" else _values
    targets = target(targets, f"{where}: y")
    _more_than_one(targets, task, where)
    if test is None:
        return Examples(inputs, targets, task)
    test_x, test_y = _pair(test, f"{where}: test")
    official = (_inputs(test_x, f"{where}: test x"), _numbers(test_y, f"{where}: test y"))
    _same_length(*official, f"{where}: test")
    official = (official[0], target(official[1], f"{where}: test y"))
    _same_kind(Examples(inputs, targets, task, official), where)
    return Examples(inputs, targets, task, official)


def _of_problem(loaded: Examples, where: str) -> Examples:
    problem = loaded.problem
    if not isinstance(problem, Problem) or loaded.task not in (None, "optimization"):
        raise InputError(
            f"{where}: task=optimization goes with problem=sgdlab.datasets.problem.Problem(…), "
            f"found task={loaded.task}, problem={problem}"
        )
    if loaded.test is not None:
        raise InputError(f"{where}: a problem has no test split; its optimum is known")
    x, y = _inputs(loaded.x, f"{where}: x"), _numbers(loaded.y, f"{where}: y")
    _same_length(x, y, where)
    return Examples(x, y, "optimization", problem=problem)


def _pair(loaded: object, where: str) -> tuple[Any, Any]:
    if isinstance(loaded, tuple | list) and len(loaded) == 2:
        return cast("tuple[Any, Any]", tuple(loaded))
    got = type(loaded).__name__
    if isinstance(loaded, tuple | list):
        got = f"{got} of {len(loaded)}"
    hint = "; for scikit-learn's loaders add return_X_y: true" if isinstance(loaded, dict) else ""
    raise InputError(f"{where}: expected (x, y) or sgdlab.datasets.Examples, got {got}{hint}")


def _inputs(values: Any, where: str) -> Tensor:
    is_table = hasattr(values, "columns")
    x = _numbers(values, where)
    if is_table or x.dtype in (torch.bool, torch.uint8):
        x = x.float()
    elif not x.is_floating_point():
        x = x.long()
    if x.ndim == 1:
        x = x[:, None]
    if x[:1].numel() == 0:
        raise InputError(f"{where} has shape {list(x.shape)}: no inputs to learn from")
    return x.contiguous()


def _numbers(values: Any, where: str) -> Tensor:
    """Return ``values`` as a tensor on CPU; floating numbers are finite and float32."""
    tensor = values.detach().cpu() if isinstance(values, Tensor) else _from_numpy(values, where)
    if tensor.ndim == 0:
        raise InputError(f"{where} is {type(values).__name__}, not an array with a row per example")
    if tensor.is_complex():
        raise InputError(f"{where} holds complex numbers; use their real parts, or pairs")
    if not tensor.is_floating_point():
        return tensor
    tensor = tensor.float()
    bad = ~tensor.isfinite()
    if bad.any():
        row = int(bad.nonzero()[0, 0])
        raise InputError(
            f"{where} has {int(bad.sum())} missing or infinite values, the first in row {row}: "
            "drop or fill them in the dataset's function"
        )
    return tensor


def _from_numpy(values: Any, where: str) -> Tensor:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{where} has rows of different lengths") from error
    if array.dtype == object and not any(isinstance(value, str) for value in array.flat):
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"{where} holds values that are not numbers: {error}") from error
    if array.dtype.kind not in "biufc":
        kind = "text" if array.dtype.kind in "OUST" else str(array.dtype)
        raise InputError(f"{where} holds {kind}, not numbers{_columns(values)}: encode it first")
    if array.dtype.kind == "u" and array.dtype != np.uint8:
        array = array.astype(np.int64)
    # A copy: the caller's array may be read-only, of foreign byte order, or changed later.
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))


def _columns(values: Any) -> str:
    if not hasattr(values, "dtypes") or not hasattr(values, "columns"):
        return ""
    names = [str(c) for c, t in zip(values.columns, values.dtypes, strict=True) if t.kind in "OM"]
    return f" (columns {', '.join(names)})" if names else ""


def _same_length(x: Tensor, y: Tensor, where: str) -> None:
    if len(x) != len(y):
        raise InputError(f"{where}: x has {len(x)} rows, y has {len(y)}: one each per example")


def _values(y: Tensor, where: str) -> Tensor:
    if y.ndim > 2 or y[:1].numel() == 0:
        raise InputError(f"{where} has shape {list(y.shape)}: expected [n] or [n, outputs]")
    # Always [n, outputs], like the outputs of a model: [n] - [n, 1] would broadcast to [n, n].
    return y.float().reshape(len(y), -1)


def _classes(y: Tensor, where: str) -> Tensor:
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise InputError(
            f"{where} has shape {list(y.shape)}: expected one class per example, [n] "
            "(one-hot: y.argmax(1); regression: floating numbers)"
        )
    if y.is_floating_point() and not torch.equal(y, y.round()):
        raise InputError(f"{where} holds fractions, and task=classification needs whole numbers")
    return y.long()


def _more_than_one(y: Tensor, task: Task, where: str) -> None:
    found: list[int | float] = y.unique().tolist()
    if len(found) == 1:
        what = "class" if task == "classification" else "value"
        raise InputError(f"{where}: y has only one {what}, {found[0]:g}: nothing to learn")
    if task == "classification" and found != list(range(len(found))):
        some = ", ".join(map(str, found[:6])) + (", …" if len(found) > 6 else "")
        raise InputError(
            f"{where}: classes must be 0..{len(found) - 1} without gaps, found {some} "
            "(np.unique(y, return_inverse=True) renumbers; regression: y.astype('float32'))"
        )


def _same_kind(examples: Examples, where: str) -> None:
    assert examples.test is not None
    x, y = examples.test
    if x.shape[1:] != examples.x.shape[1:] or x.dtype != examples.x.dtype:
        raise InputError(
            f"{where}: test inputs are {x.dtype} {list(x.shape[1:])}, "
            f"training inputs {examples.x.dtype} {list(examples.x.shape[1:])}"
        )
    if examples.task == "classification":
        odd = sorted(set(y.unique().tolist()) - set(examples.y.unique().tolist()))
        if odd:
            raise InputError(f"{where}: test y has class {odd[0]}, which never occurs in training")
    elif y.shape[1:] != examples.y.shape[1:]:
        raise InputError(f"{where}: test y has {y.shape[1]} values, y has {examples.y.shape[1]}")
