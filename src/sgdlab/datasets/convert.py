"""Turns whatever a dataset's function returns into checked tensors."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from sgdlab.checks import require_one_of
from sgdlab.datasets.arrays import numbers
from sgdlab.datasets.base import Encoder, Examples
from sgdlab.datasets.huggingface import from_huggingface, is_huggingface
from sgdlab.datasets.layout import Layout, channels_first
from sgdlab.datasets.lazy import LazyRows
from sgdlab.datasets.problem import Problem
from sgdlab.datasets.rows import count, take, tensors
from sgdlab.datasets.targets import as_targets, require_variety, task_of
from sgdlab.datasets.tasks import TASKS, Task
from sgdlab.datasets.torch_data import from_torch, is_torch_data
from sgdlab.datasets.windows import Windows
from sgdlab.errors import InputError


def to_examples(
    loaded: object,
    name: str,
    task: Task | None = None,
    layout: Layout = "auto",
    needed: int | None = None,
) -> Examples:
    """Convert and check what a dataset's function returned.

    Tables (pandas), flags and bytes become floating inputs: they are quantities or pixels. Other
    integer arrays and tensors are taken for tokens and become int64. Floating numbers keep their
    precision.

    Args:
        loaded: `Examples`, a pair ``(x, y)`` of NumPy arrays, pandas objects, tensors or lists, or
            what `sgdlab.datasets.torch_data.from_torch` reads. ``x`` may be a mapping of arrays.
        name: The dataset's name, for messages.
        task: What the user says that the targets are; None: what the function says, or the
            targets show for certain.
        layout: Where images have their channels.
        needed: How many examples a run sees, for a stream of unknown length.

    Returns:
        Examples with ``task`` set, ``x`` of two or more axes, and ``y`` int64 ``[n]`` or floating
        ``[n, outputs]``; of the task ``custom`` any tensor with a row per example.

    Raises:
        InputError: Not a pair, not numbers, not finite, of different lengths, targets that no
            loss could be computed from, or something that nobody could tell.
    """
    where = f"dataset={name}"
    if is_huggingface(loaded):
        loaded = from_huggingface(loaded, where)
    if is_torch_data(loaded):
        loaded = from_torch(loaded, where, needed)
    if isinstance(loaded, Examples) and (loaded.problem or loaded.task == "optimization"):
        return _of_problem(loaded, where)
    if isinstance(loaded, Examples) and isinstance(loaded.x, Windows):
        if task not in (None, loaded.task):
            raise InputError(f"task={task}: {where} is task={loaded.task} by itself; task=auto")
        return loaded  # of tokens, which were checked as they were made
    given = loaded if isinstance(loaded, Examples) else Examples(*_pair(loaded, where))
    task = _task(given, task, where)
    inputs, turned = _inputs(given.x, layout, f"{where}: x")
    if given.y is None and task != "custom":
        raise InputError(f"{where}: no targets; a loss of your own needs none with task=custom")
    rows = _count(inputs)
    targets = torch.zeros(rows) if given.y is None else numbers(given.y, f"{where}: y")
    _same_length(rows, targets, where)
    task = task or task_of(targets, f"{where}: y")
    targets = as_targets(targets, task, f"{where}: y")
    require_variety(targets, task, where)
    notes = [*given.notes]
    if turned:
        notes.append("images: [n, height, width, channels] turned to channels first")
    made = replace(
        given,
        x=inputs,
        y=targets,
        task=task,
        weight=_weight(given.weight, len(targets), where),
        notes=notes,
    )
    for part in ("val", "test"):
        if (pair := getattr(given, part)) is not None:
            # One example may have too few pixels to tell its layout: that of all is known.
            known: Layout = "nhwc" if turned else layout
            made = replace(made, **{part: _official(made, pair, part, known, where)})
    return made


def _task(given: Examples, task: Task | None, where: str) -> Task | None:
    if given.task is not None:
        require_one_of(f"{where}: task", given.task, TASKS)
    if task == "optimization":
        raise InputError(f"task=optimization: {where} gives no function to minimise")
    return task or given.task


def _official(
    made: Examples, pair: Any, part: str, layout: Layout, where: str
) -> tuple[Any, Tensor]:
    if is_torch_data(pair):
        read = from_torch(pair, f"{where}: {part}")
        pair = read.x, read.y
    x, y = _pair(pair, f"{where}: {part}")
    if isinstance(made.x, Encoder):
        raise InputError(f"{where}: {part} cannot be apart from inputs that are encoded together")
    inputs, _ = _inputs(x, layout, f"{where}: {part} x")
    raw = torch.zeros(count(inputs)) if y is None else numbers(y, f"{where}: {part} y")
    _same_length(count(inputs), raw, f"{where}: {part}")
    assert made.task is not None
    targets = as_targets(raw, made.task, f"{where}: {part} y")
    _same_kind(made, (inputs, targets), part, where)
    return inputs, targets


def _of_problem(loaded: Examples, where: str) -> Examples:
    problem = loaded.problem
    if not isinstance(problem, Problem) or loaded.task not in (None, "optimization"):
        raise InputError(
            f"{where}: task=optimization goes with problem=sgdlab.datasets.problem.Problem(…), "
            f"found task={loaded.task}, problem={problem}"
        )
    if loaded.test is not None or loaded.val is not None:
        raise InputError(f"{where}: a problem has no test split; its optimum is known")
    x, y = _array(loaded.x, f"{where}: x"), numbers(loaded.y, f"{where}: y")
    x = x.float() if x.is_floating_point() else x
    _same_length(len(x), y, where)
    y = y.float() if y.is_floating_point() else y
    return Examples(x, y, "optimization", problem=problem)


def _pair(loaded: object, where: str) -> tuple[Any, Any]:
    if isinstance(loaded, tuple | list) and len(loaded) == 2:
        return cast("tuple[Any, Any]", tuple(loaded))
    got = type(loaded).__name__
    if isinstance(loaded, tuple | list):
        got = f"{got} of {len(loaded)}"
    hint = "; for scikit-learn's loaders add return_X_y: true" if isinstance(loaded, dict) else ""
    raise InputError(
        f"{where}: expected (x, y), sgdlab.datasets.Examples or torch.utils.data.Dataset, "
        f"got {got}{hint}"
    )


def _inputs(values: Any, layout: Layout, where: str) -> tuple[Any, bool]:
    """Return inputs as a tensor, a mapping of tensors or an `Encoder`; say if they were turned."""
    if isinstance(values, LazyRows):
        first = values.part(slice(1)).load()
        _, turned = channels_first(first, layout, where)
        return values.channels_last() if turned else values, turned
    if isinstance(values, Encoder):
        return values, False
    if isinstance(values, Mapping):
        named = {str(key): _array(value, f"{where}[{key}]") for key, value in values.items()}
        if not named or len({len(part) for part in named.values()}) > 1:
            raise InputError(f"{where} maps to arrays of different lengths, or to none")
        return named, False
    x = _array(values, where)
    if x.ndim == 1:
        x = x[:, None]
    if x[:1].numel() == 0:
        raise InputError(f"{where} has shape {list(x.shape)}: no inputs to learn from")
    x, turned = channels_first(x, layout, where)
    return x.contiguous(), turned


def _array(values: Any, where: str) -> Tensor:
    is_table = hasattr(values, "columns")
    x = numbers(values, where)
    if x.dtype in (torch.bool, torch.uint8):
        return x.float()
    if is_table and not x.is_floating_point():
        return x.double()
    return x if x.is_floating_point() else x.long()


def _count(inputs: Any) -> int:
    return len(inputs) if isinstance(inputs, Encoder) else count(inputs)


def _weight(values: Any, rows: int, where: str) -> Tensor | None:
    if values is None:
        return None
    weight = numbers(values, f"{where}: weight")
    if weight.shape != (rows,) or bool((weight < 0).any()) or not bool((weight > 0).any()):
        raise InputError(f"{where}: weight must be {rows} numbers from 0, not all 0")
    return weight.to(torch.float64)


def _same_length(rows: int, y: Tensor, where: str) -> None:
    if rows != len(y):
        raise InputError(f"{where}: x has {rows} rows, y has {len(y)}: one each per example")


def _firsts(x: Any) -> list[Any]:
    return [*tensors(take(x, slice(1)))]


def _same_kind(examples: Examples, official: tuple[Any, Tensor], part: str, where: str) -> None:
    x, y = official
    name = {"test": "test", "val": "validation"}[part]
    keys = [sorted(rows) if isinstance(rows, Mapping) else None for rows in (examples.x, x)]
    if keys[0] != keys[1]:
        raise InputError(f"{where}: {name} inputs have the keys {keys[1]}, training's {keys[0]}")
    for ours, theirs in zip(_firsts(examples.x), _firsts(x), strict=True):
        if ours.shape[1:] != theirs.shape[1:] or ours.dtype != theirs.dtype:
            raise InputError(
                f"{where}: {name} inputs are {theirs.dtype} {list(theirs.shape[1:])}, "
                f"training inputs {ours.dtype} {list(ours.shape[1:])}"
            )
    if examples.task == "classification":
        odd = sorted(set(y.unique().tolist()) - set(examples.y.unique().tolist()))
        if odd:
            raise InputError(
                f"{where}: {name} y has class {odd[0]}, which never occurs in training"
            )
    elif y.shape[1:] != examples.y.shape[1:]:
        raise InputError(f"{where}: {name} y has {y.shape[1]} values, y has {examples.y.shape[1]}")
