"""Splitting, standardisation and fingerprint of a dataset."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgdlab.datasets.base import Dataset, Encoder, Examples, Split
from sgdlab.datasets.convert import to_examples
from sgdlab.datasets.fingerprint import fingerprint
from sgdlab.datasets.layout import Layout
from sgdlab.datasets.lazy import LazyRows
from sgdlab.datasets.partition import By, partition
from sgdlab.datasets.problem import Problem
from sgdlab.datasets.tasks import Task
from sgdlab.datasets.windows import Windows
from sgdlab.errors import InputError


def prepare(
    loaded: object,
    *,
    name: str,
    seed: int,
    val: float,
    test: float,
    by: By = "auto",
    task: Task | None = None,
    layout: Layout = "auto",
    standardize_inputs: bool = True,
    standardize_targets: bool = True,
    needed: int | None = None,
) -> Dataset:
    """Split and standardise what a dataset's function returned.

    ``x <- (x - mean) / std`` with the mean and population standard deviation of the *training*
    split, per channel for images ``[n, channels, height, width]`` and per feature otherwise; the
    same for regression targets, per output. What is constant in training is divided by 1. Integer
    inputs, class labels, labels of 0 and 1, and counts stay as they are.

    A test problem is neither split nor standardised: training, validation and test are the same
    function, over all its examples.

    Args:
        loaded: What the function returned; see `sgdlab.datasets.convert.to_examples`.
        name: The dataset's name.
        seed: The seed of the split alone: the runs of all seeds see the same splits.
        val: Fraction of the examples, without an official test split, for the validation split;
            not used when the dataset has a validation split of its own.
        test: Fraction for the test split; not used when the dataset has an official test split.
        by: How examples are dealt out; see `sgdlab.datasets.partition`.
        task: What the user says that the targets are; None: what the data say.
        layout: Where images have their channels.
        standardize_inputs: Whether floating inputs are standardised.
        standardize_targets: Whether the targets of a regression are standardised, which leaves a
            loss its meaning only where it is shift- and scale-free.
        needed: How many examples of a stream of unknown length the run trains on; more are read,
            for the other splits.

    Raises:
        InputError: Data that cannot be used, or fractions that leave a split empty.
    """
    if needed is not None and val + test < 1:
        needed = math.ceil(needed / (1 - val - test))
    examples = to_examples(loaded, name, task, layout, needed)
    assert examples.task is not None
    if examples.problem is not None:
        return _whole(examples, examples.problem, name)
    splits, notes = _split(examples, seed, val, test, by, f"dataset={name}")
    if standardize_inputs:
        splits = _standardized(splits)
    scale, mean = 1.0, 0.0
    if examples.task == "regression" and standardize_targets:
        splits, mean, scale = _standardized_targets(splits)
    return Dataset(
        name=name,
        task=examples.task,
        input_shape=_shape(splits[0].x),
        num_outputs=examples.outputs or _outputs(examples),
        train=splits[0],
        val=splits[1],
        test=splits[2],
        target_scale=scale,
        fingerprint=fingerprint(splits, _known(examples)),
        target_mean=mean,
        notes=(*examples.notes, *notes),
        target_name=examples.target_name,
        token=examples.token,
        token_bytes=None if examples.token_bytes is None else tuple(examples.token_bytes),
        official=tuple(key for key in ("val", "test") if getattr(examples, key) is not None),
    )


def _shape(x: Any) -> tuple[int, ...]:
    if isinstance(x, LazyRows):
        x = x.part(slice(1)).load()
    return tuple(x.shape[1:]) if isinstance(x, Tensor | Windows) else ()


def _known(examples: Examples) -> list[Tensor]:
    """Return what else of the data a result depends on: of tokens that are no bytes their size."""
    held = examples.token_bytes
    return [] if held is None or examples.token == "byte" else [torch.tensor(held)]


def _outputs(examples: Examples) -> int:
    y: Tensor = examples.y
    if examples.task == "classification":
        return int(y.max()) + 1
    if examples.task == "language":
        return _vocabulary(examples)
    if examples.task == "custom" and y.ndim != 2:
        return 1
    return y.shape[1]


def _vocabulary(examples: Examples) -> int:
    """Return one more than the largest token, wherever it stands."""
    pairs = [(examples.x, examples.y), examples.val or (), examples.test or ()]
    found = [t for pair in pairs for t in pair if isinstance(t, Tensor)]
    return 1 + max(int(t.max()) for t in found if not t.is_floating_point())


def _standardized(splits: list[Split]) -> list[Split]:
    train = splits[0].x
    if isinstance(train, LazyRows):
        moments = train.moments()
        return [replace(split, x=_unread(split.x, moments)) for split in splits]
    if isinstance(train, Windows):
        return splits
    if isinstance(train, Tensor):
        if not train.is_floating_point():
            return splits
        mean, scale = _statistics(train)
        return [replace(split, x=_scaled(split.x, mean, scale)) for split in splits]
    found = {key: _statistics(part) for key, part in train.items() if part.is_floating_point()}
    return [
        replace(
            split, x={k: _scaled(v, *found[k]) if k in found else v for k, v in split.x.items()}
        )
        for split in splits
    ]


def _unread(x: Any, moments: tuple[Tensor, Tensor]) -> Any:
    return x.standardized(*moments) if isinstance(x, LazyRows) else _scaled(x, *moments)


def _scaled(values: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    return (values - mean) / scale


def _standardized_targets(
    splits: list[Split],
) -> tuple[list[Split], float | Tensor, float | Tensor]:
    mean, scale = _statistics(splits[0].y)
    several = splits[0].y.shape[1] > 1
    splits = [replace(split, y=(split.y - mean) / scale) for split in splits]
    return splits, mean[0] if several else float(mean), scale[0] if several else float(scale)


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
        fingerprint=fingerprint([everything] * 3, constants),
        problem=problem,
    )


def _split(
    examples: Examples, seed: int, val: float, test: float, by: By, where: str
) -> tuple[list[Split], list[str]]:
    y, notes = examples.y, []
    asked = {"val": (examples.val, val), "test": (examples.test, test)}
    fractions = {key: fraction for key, (own, fraction) in asked.items() if own is None}
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
    rows = partition(
        labels, examples.group, examples.time, sizes=sizes, seed=seed, by=by, where=where
    )
    x = examples.x
    if isinstance(x, Encoder):
        x, notes = x.encode(rows[0])
        notes = list(notes)
    parts = [Split(x, y, examples.weight).part(torch.from_numpy(part)) for part in rows]
    found = dict(zip(("train", *fractions), parts, strict=True))
    for key, (own, _) in asked.items():
        if own is not None:
            found[key] = Split(*own)
    for key, split in found.items():
        if split.weight is not None and not float(split.weight.sum()):
            raise InputError(f"{where}: all weights of the {key} split are 0")
    return [found["train"], found["val"], found["test"]], notes


def _statistics(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and scale of ``values``, shaped to broadcast against them.

    They are accumulated in float64. Of float32 values they are rounded to float32 before use: the
    order of summation, which differs between machines, then leaves the standardised values and
    the fingerprint alone. Values in float64 keep it until they are standardised: a Unix timestamp
    has no seconds left in float32.
    """
    axes = (0, 2, 3) if values.ndim == 4 else (0,)
    least, most = values.amin(dim=axes, keepdim=True), values.amax(dim=axes, keepdim=True)
    mean = values.mean(dim=axes, dtype=torch.float64, keepdim=True).to(values.dtype)
    # Of a constant the mean and the deviation are rounding, and their ratio would be anything.
    mean = torch.where(least == most, least, mean)
    variance = (values - mean).square().mean(dim=axes, dtype=torch.float64, keepdim=True)
    scale = variance.sqrt().to(values.dtype)
    return mean, torch.where((scale > 0) & (least < most), scale, 1.0)
