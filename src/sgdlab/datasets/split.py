"""From raw examples to standardised training, validation and test splits."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgdlab.datasets.base import Dataset, Examples, Split, Task, fingerprint
from sgdlab.errors import InputError


def prepare(loaded: Any, *, name: str, seed: int, val: float, test: float) -> Dataset:
    """Split and standardise what a dataset function returned.

    Splits are drawn by a generator of their own (NumPy's PCG64 seeded with ``seed``), for classes
    within each class. Inputs become ``(x - mean) / sd`` with mean and population standard
    deviation of the *training* split, per feature, or per channel for images ``[N, C, H, W]``;
    constant features keep scale 1. Regression targets are standardised alike, and
    ``target_scale`` keeps their standard deviation.

    Args:
        loaded: `Examples`, or a pair ``(x, y)`` of arrays, data frames or tensors.
        name: The dataset's name, for messages.
        seed: Seed of the splits, apart from the seed of a run.
        val: Fraction of all examples for validation.
        test: Fraction for the test split, unless the examples bring an official one.

    Raises:
        InputError: The examples or fractions cannot be used.
    """
    where = f"dataset={name}"
    examples = _examples(loaded, where)
    task = examples.task or ("regression" if examples.y.is_floating_point() else "classification")
    _check(examples.x, examples.y, task, where)
    official = examples.test
    fractions = (val, 0.0 if official else test)
    for key, fraction in zip(("val", "test"), fractions, strict=True):
        if not 0 <= fraction < 1 or (fraction == 0 and not (key == "test" and official)):
            raise InputError(f"split.{key}={fraction}: must be a fraction between 0 and 1")
    if sum(fractions) >= 1:
        raise InputError(f"split.val={val} and split.test={test} leave nothing to train on")

    parts = _draw(
        examples.y if task == "classification" else None, len(examples.y), fractions, seed
    )
    splits = [Split(examples.x[part], examples.y[part]) for part in parts]
    if official:
        _check(*official, task, f"{where}, test split")
        splits[2] = Split(*official)
    for key, split in zip(("train", "val", "test"), splits, strict=True):
        if len(split.y) == 0:
            raise InputError(f"{where}: {len(examples.y)} examples leave the {key} split empty")
    return _standardise(name, task, splits)


def _examples(loaded: Any, where: str) -> Examples:
    if isinstance(loaded, Examples):
        return loaded
    if not isinstance(loaded, tuple | list) or len(loaded) != 2:
        raise InputError(f"{where}: must return a pair (x, y), not {type(loaded).__name__}")
    x, y = (_tensor(values, f"{where}: {part}") for values, part in zip(loaded, "xy", strict=True))
    return Examples(x, y)


def _tensor(values: Any, where: str) -> Tensor:
    if isinstance(values, Tensor):
        tensor = values.detach().cpu()
    else:
        array = np.asarray(values)
        if array.dtype.kind not in "fiub":
            raise InputError(f"{where} holds {array.dtype}, not numbers; encode it first")
        tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.float() if tensor.is_floating_point() else tensor.long()


def _check(x: Tensor, y: Tensor, task: Task, where: str) -> None:
    if len(x) != len(y):
        raise InputError(f"{where}: x has {len(x)} examples and y {len(y)}")
    if x.ndim < 2:
        raise InputError(f"{where}: x has shape {tuple(x.shape)}; it needs [examples, features]")
    for part, values in (("x", x), ("y", y)):
        if values.is_floating_point() and not bool(torch.isfinite(values).all()):
            raise InputError(f"{where}: {part} holds NaN or infinity; fill or drop those examples")
    if task == "classification":
        if y.is_floating_point() or y.ndim != 1:
            raise InputError(f"{where}: class labels must be integers of shape [examples]")
        labels = y.unique().tolist()
        if labels[0] != 0 or labels[-1] != len(labels) - 1:
            raise InputError(f"{where}: class labels must be 0 … K-1, found {labels[:5]}")
        if len(labels) < 2:
            raise InputError(f"{where}: only one class in y")


def _draw(
    labels: Tensor | None, count: int, fractions: tuple[float, float], seed: int
) -> list[Tensor]:
    """Return indices of the training, validation and test examples, each sorted."""
    generator = np.random.Generator(np.random.PCG64(seed))
    groups = (
        [np.arange(count)]
        if labels is None
        else [np.flatnonzero(labels.numpy() == k) for k in range(int(labels.max()) + 1)]
    )
    parts: list[list[np.ndarray]] = [[], [], []]
    for group in groups:
        order = generator.permutation(group)
        n_val, n_test = (round(fraction * len(group)) for fraction in fractions)
        n_train = len(group) - n_val - n_test
        for part, indices in zip(parts, np.split(order, [n_train, n_train + n_val]), strict=True):
            part.append(indices)
    return [torch.from_numpy(np.sort(np.concatenate(part))) for part in parts]


def _standardise(name: str, task: Task, splits: list[Split]) -> Dataset:
    train = splits[0]
    if train.x.is_floating_point():
        mean, scale = _statistics(train.x, (0, 2, 3) if train.x.ndim == 4 else (0,))
        splits = [Split((x.double() - mean).div(scale).float(), y) for x, y in splits]
    target_scale = torch.ones((), dtype=torch.float64)
    if task == "regression":
        mean, target_scale = _statistics(train.y, (0,))
        splits = [
            Split(x, (y.double() - mean).div(target_scale).float().reshape(len(y), -1))
            for x, y in splits
        ]
        target_scale = target_scale.reshape(-1)
    outputs = int(train.y.max()) + 1 if task == "classification" else splits[0].y.shape[1]
    return Dataset(
        name=name,
        task=task,
        input_shape=tuple(train.x.shape[1:]),
        num_outputs=outputs,
        train=splits[0],
        val=splits[1],
        test=splits[2],
        target_scale=target_scale,
        fingerprint=fingerprint(tuple(splits)),
    )


def _statistics(values: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    keep = len(dims) > 1
    mean = values.double().mean(dims, keepdim=keep)
    scale = values.double().std(dims, correction=0, keepdim=keep)
    # Rounding leaves a constant feature with a tiny spread; dividing by it would make noise.
    tiny = 1e-7 * mean.abs().clamp(min=1e-30)
    return mean, torch.where(scale > tiny, scale, torch.ones_like(scale))
