"""What a dataset's function returns, and what a run works with."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple, Protocol, cast, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from sgdlab.datasets.lazy import LazyRows
from sgdlab.datasets.problem import Problem
from sgdlab.datasets.rows import moved, part, split, take
from sgdlab.datasets.tasks import Task
from sgdlab.datasets.windows import Windows


class Encoded(NamedTuple):
    """Inputs as numbers ``x [n, d]``, and a line for each thing that was done to make them."""

    x: Tensor
    notes: Sequence[str] = ()


@runtime_checkable
class Encoder(Protocol):
    """Inputs that become numbers by what the training split shows: scales, categories, means."""

    def __len__(self) -> int:
        """Return the number of examples."""
        ...

    def encode(self, train: np.ndarray) -> Encoded:
        """Return the inputs of all examples, fitted on some of them alone.

        Args:
            train: Row numbers of the training split, int64.
        """
        ...


@dataclass(frozen=True)
class Examples:
    """All examples of a dataset, before they are split and standardised.

    A function of your own may also return the plain pair ``(x, y)``, a `torch.utils.data.Dataset`
    or a `torch.utils.data.DataLoader`; see `sgdlab.datasets.convert.to_examples`.

    Attributes:
        x: Inputs ``[n, ...]``; images as ``[n, channels, height, width]``. Integer inputs
            (tokens) are never standardised. A mapping of such arrays is passed to the model as
            keyword arguments. An `Encoder` is asked once the split is known.
        y: Class labels ``0..k-1`` as integers ``[n]``, or targets as floats ``[n]`` or
            ``[n, outputs]``; of a test problem any numbers, which nobody reads; of the task
            ``custom`` an array of any shape with a row per example; of ``language`` the next token
            at each place, integers ``[n, context]``.
        task: See `sgdlab.datasets.tasks`. None: classification for integer ``y``, regression for
            floating ``y``; what could be both is asked for.
        test: An official test split ``(x, y)``, kept as the test split.
        problem: The function to minimise, whose ``f_i`` the rows of ``x`` select. Such examples
            are neither split nor standardised: every split is all of them.
        val: A validation split ``(x, y)`` of its own, instead of a part of the examples.
        weight: What each example counts in the mean of the loss, from 0, ``[n]``; None: all alike.
        group: Examples of one group are never in two splits, ``[n]``, with ``split.by=group``.
        time: What the examples are ordered by, ``[n]``, with ``split.by=time``.
        outputs: Outputs that a model should have; None: as the task has it.
        classes: Names of the classes in the order of their labels.
        notes: What was done to make the data, a line each.
        target_name: The key of the target, where examples are a mapping that has one.
        token: What a token of a text is: ``byte`` or ``character``, or a name of your own.
        token_bytes: How many bytes of the text each token of the vocabulary stands for, which
            ``metric=bits_per_byte`` needs; None where that cannot be said.
    """

    x: Any
    y: Any
    task: Task | None = None
    test: tuple[Any, Any] | None = None
    problem: Problem | None = None
    val: tuple[Any, Any] | None = None
    weight: Any = None
    group: Any = None
    time: Any = None
    outputs: int | None = None
    classes: Sequence[str] | None = None
    notes: Sequence[str] = ()
    target_name: str | None = None
    token: str | None = None
    token_bytes: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Inputs ``x [n, *input_shape]``, targets ``y``, and what each example counts; or a batch.

    It unpacks as ``x, y``.

    Attributes:
        x: A tensor, or a mapping of tensors.
        y: ``[n]`` classes, ``[n, context]`` tokens or ``[n, outputs]`` values; of unread `Windows`
            the targets, unread, too.
        weight: ``[n]``; None: all examples count alike.
    """

    x: Any
    y: Tensor
    weight: Tensor | None = None

    def __iter__(self) -> Iterator[Any]:
        """Yield inputs and targets."""
        yield self.x
        yield self.y

    @property
    def is_read(self) -> bool:
        """Whether the inputs are in memory."""
        return not isinstance(self.x, LazyRows)

    def batches(self, size: int | list[int]) -> "Iterator[Split]":
        """Yield the examples in their order; see `sgdlab.datasets.rows.split`."""
        xs, ys = split(self.x, size), self.y.split(size)
        weights = itertools.repeat(None) if self.weight is None else self.weight.split(size)
        yield from map(Split, xs, ys, weights)

    def drawn(self, seed: int) -> "Split":
        """Return what an epoch trains on: these examples, or as many windows drawn by the seed."""
        if isinstance(self.x, Windows) and isinstance(self.y, Windows) and self.x.random:
            return Split(self.x.drawn(seed), cast(Tensor, self.y.drawn(seed)), self.weight)
        return self

    def part(self, rows: Any) -> "Split":
        """Return some examples, whose inputs may be read later; see `take`."""
        weight = None if self.weight is None else take(self.weight, rows)
        return Split(part(self.x, rows), part(self.y, rows), weight)

    def take(self, rows: Any) -> "Split":
        """Return some examples, in memory.

        Args:
            rows: Their numbers, an int64 tensor; or a slice.
        """
        weight = None if self.weight is None else take(self.weight, rows)
        return Split(take(self.x, rows), take(self.y, rows), weight)


@dataclass(frozen=True)
class Dataset:
    """A dataset ready for training: split, and standardised by its training split.

    Attributes:
        name: The name that was chosen on the command line.
        task: What the targets are; see `sgdlab.datasets.tasks`.
        input_shape: Shape of one input; empty where inputs are a mapping.
        num_outputs: Classes, tokens of the vocabulary, or values per target.
        train: The training split. Examples are in a random order that the split seed fixes, so
            the first ones of a split are a random sample of it.
        val: The validation split.
        test: The test split.
        target_scale: What one unit of a standardised regression target is in the units of the
            data, a float or ``[outputs]``; 1.0 where targets are as they were given.
        fingerprint: SHA-256 over dtype, shape and bytes of the tensors of the splits, and of a
            problem's starting point and constants as float32.
        problem: The function to minimise, for the task ``optimization``.
        target_mean: What was taken from regression targets before they were divided by
            ``target_scale``; 0.0 where they are as they were given.
        notes: What was done to make the data, a line each.
        target_name: The key of the target, where the data are a mapping that has one.
        token: What a token of a text is; None where nobody said it.
        token_bytes: The bytes of each token of the vocabulary; None where they are not known.
        official: The splits that came with the data, whatever the split seed: ``val``, ``test``.
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
    target_mean: float | Tensor = 0.0
    notes: tuple[str, ...] = ()
    target_name: str | None = None
    token: str | None = None
    token_bytes: tuple[int, ...] | None = None
    official: tuple[str, ...] = ()

    def recorded(self) -> dict[str, Any]:
        """Return what ``environment.json`` says of the data: notes, and the size of each split."""
        splits = {"train": self.train, "val": self.val, "test": self.test}
        return {
            **({"data": list(self.notes)} if self.notes else {}),
            "examples": {name: len(split.y) for name, split in splits.items()},
            **({"official_splits": list(self.official)} if self.official else {}),
        }

    @property
    def in_memory(self) -> bool:
        """Whether the inputs are one tensor, or windows that are had like its rows."""
        return isinstance(self.train.x, Tensor | Windows)

    @cached_property
    def class_counts(self) -> Tensor | None:
        """How many training examples each class has; None: no classes.

        Once, however many runs of a comparison are built on it.
        """
        y = self.train.y
        if self.task not in ("classification", "custom") or y.is_floating_point() or y.is_complex():
            return None
        known = self.num_outputs if self.task == "classification" else 0
        return torch.bincount(y[y >= 0].flatten().cpu(), minlength=known)

    def to(
        self, device: torch.device | str, dtype: torch.dtype, channels_last: bool = False
    ) -> "Dataset":
        """Return the dataset on ``device`` with its floating tensors as ``dtype``.

        Integer inputs and class labels keep their type; the fingerprint stays that of the data
        as prepared, so that it is the same on every device.

        Args:
            device: The device.
            dtype: The floating type.
            channels_last: Whether images in memory are laid out with the channels last.
        """

        def all_moved(split: Split) -> Split:
            weight = None if split.weight is None else moved(split.weight, device, dtype)
            x = moved(split.x, device, dtype)
            if channels_last and isinstance(x, Tensor):
                x = x.contiguous(memory_format=torch.channels_last)
            return Split(x, moved(split.y, device, dtype), weight)

        scale, mean = self.target_scale, self.target_mean
        return replace(
            self,
            train=all_moved(self.train),
            val=all_moved(self.val),
            test=all_moved(self.test),
            target_scale=moved(scale, device, dtype) if isinstance(scale, Tensor) else scale,
            target_mean=moved(mean, device, dtype) if isinstance(mean, Tensor) else mean,
        )
