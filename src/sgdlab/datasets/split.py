"""Splitting, standardisation and fingerprint of a dataset."""

import hashlib
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from sgdlab.datasets.base import Dataset, Examples, Split
from sgdlab.datasets.convert import to_examples
from sgdlab.datasets.problem import Problem
from sgdlab.errors import InputError


def prepare(loaded: object, *, name: str, seed: int, val: float, test: float) -> Dataset:
    """Split and standardise what a dataset's function returned.

    ``x <- (x - mean) / std`` with the mean and population standard deviation of the *training*
    split, per channel for images ``[n, channels, height, width]`` and per feature otherwise; the
    same for regression targets, per output. What is constant in training is divided by 1. Integer
    inputs and class labels stay as they are.

    A test problem is neither split nor standardised: training, validation and test are the same
    function, over all its examples.

    Args:
        loaded: `Examples` or a pair ``(x, y)``; see `sgdlab.datasets.convert.to_examples`.
        name: The dataset's name.
        seed: The seed of the split alone: the runs of all seeds see the same splits.
        val: Fraction of the examples, without an official test split, for the validation split.
        test: Fraction for the test split; not used when the dataset has an official test split.

    Raises:
        InputError: Data that cannot be used, or fractions that leave a split empty.
    """
    examples = to_examples(loaded, name)
    assert examples.task is not None
    if examples.problem is not None:
        return _whole(examples, examples.problem, name)
    splits = _split(examples, seed, val, test, f"dataset={name}")
    if examples.x.is_floating_point():
        mean, scale = _statistics(splits[0].x)
        splits = [Split((x - mean) / scale, y) for x, y in splits]
    target_scale: float | Tensor = 1.0
    if examples.task == "classification":
        num_outputs = int(examples.y.max()) + 1
    else:
        num_outputs = examples.y.shape[1]
        mean, scale = _statistics(splits[0].y)
        target_scale = scale[0] if num_outputs > 1 else float(scale)
        splits = [Split(x, (y - mean) / scale) for x, y in splits]
    return Dataset(
        name=name,
        task=examples.task,
        input_shape=tuple(examples.x.shape[1:]),
        num_outputs=num_outputs,
        train=splits[0],
        val=splits[1],
        test=splits[2],
        target_scale=target_scale,
        fingerprint=_fingerprint(tensor for split in splits for tensor in split),
    )


def _whole(examples: Examples, problem: Problem, name: str) -> Dataset:
    everything = Split(examples.x, examples.y)
    # Rounded, since the last digits of constants may differ between machines.
    constants = [tensor.float() for tensor in problem.function.state_dict().values()]
    return Dataset(
        name=name,
        task="optimization",
        input_shape=tuple(examples.x.shape[1:]),
        num_outputs=1,
        train=everything,
        val=everything,
        test=everything,
        target_scale=1.0,
        fingerprint=_fingerprint([*everything, *everything, *everything, *constants]),
        problem=problem,
    )


def _split(examples: Examples, seed: int, val: float, test: float, where: str) -> list[Split]:
    x, y = examples.x, examples.y
    fractions = {"val": val} if examples.test is not None else {"val": val, "test": test}
    for key, fraction in fractions.items():
        if not 0 < fraction < 1:
            raise InputError(f"split.{key}={fraction}: must be a fraction between 0 and 1")
        if round(fraction * len(y)) == 0:
            raise InputError(f"{where}: split.{key}={fraction} of {len(y)} examples is none")
    sizes = [round(fraction * len(y)) for fraction in fractions.values()]
    labels = y.numpy() if examples.task == "classification" else np.zeros(len(y), np.int64)
    classes = len(np.unique(labels))
    if sum(sizes) > len(y) - classes:
        taken = " and ".join(f"split.{key}={value}" for key, value in fractions.items())
        need = "one of every class" if classes > 1 else "any"
        raise InputError(
            f"{where}: {taken} of {len(y)} examples do not leave {need} for training; lower them"
        )
    rows = map(torch.from_numpy, assign(labels, sizes, seed))
    splits = [Split(x[part], y[part]) for part in rows]
    return splits if examples.test is None else [*splits, Split(*examples.test)]


def assign(labels: np.ndarray, sizes: list[int], seed: int) -> list[np.ndarray]:
    """Deal the rows out at random, the classes in proportion.

    A class of ``c`` among ``n`` rows gives ``size * c / n`` rows to a part, rounded by largest
    remainder, so that every part has exactly its size. Every class keeps a row for training.

    Args:
        labels: Class of each row, ``[n]``.
        sizes: Rows of each part, at most ``n`` less the number of classes together; the remaining
            rows are for training.
        seed: The seed of PCG64. Only its raw stream is used, which NumPy keeps the same in all
            versions; its permutations may change.

    Returns:
        Row numbers of the training part, then of each part in ``sizes``, each in random order.
    """
    order = np.argsort(np.random.PCG64(seed).random_raw(len(labels)), kind="stable")
    classes, counts = np.unique(labels, return_counts=True)
    rows = [order[labels[order] == label] for label in classes]
    part_of = np.zeros(len(labels), np.int64)
    taken = np.zeros_like(counts)
    for part, size in enumerate(sizes, start=1):
        given = _apportion(size * counts / len(labels), counts - 1 - taken, size)
        for members, start, count in zip(rows, taken, given, strict=True):
            part_of[members[start : start + count]] = part
        taken = taken + given
    return [order[part_of[order] == part] for part in range(len(sizes) + 1)]


def _apportion(quotas: np.ndarray, free: np.ndarray, total: int) -> np.ndarray:
    """Round ``quotas`` to whole numbers, none above ``free``, that add up to ``total``."""
    given = np.minimum(np.floor(quotas).astype(np.int64), free)
    while given.sum() < total:
        lack = np.where(given < free, quotas - given, -np.inf)
        given[lack.argmax()] += 1
    return given


def _statistics(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and scale of ``values``, shaped to broadcast against them.

    They are accumulated in float64 and rounded to float32 before use: the order of summation,
    which differs between machines, then leaves the standardised values and the fingerprint alone.
    """
    axes = (0, 2, 3) if values.ndim == 4 else (0,)
    mean = values.mean(dim=axes, dtype=torch.float64, keepdim=True).float()
    variance = (values - mean).square().mean(dim=axes, dtype=torch.float64, keepdim=True)
    scale = variance.sqrt().float()
    return mean, torch.where(scale > 0, scale, 1.0)


def _fingerprint(tensors: Iterable[Tensor]) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().data)
    return digest.hexdigest()
