"""Reads `torch.utils.data`: datasets with a length, iterable ones, loaders, with their splits."""

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    default_collate,
)

from sgdlab.datasets.base import Examples
from sgdlab.datasets.collated import bytes_in, equal, joined, parted
from sgdlab.datasets.lazy import LazyRows
from sgdlab.errors import InputError, reason_of

_BATCH = 256
_LOOKED_AT = 64
"""Examples that are read twice, to see whether they stay the same."""

_LARGEST = 2**31
"""Bytes that are kept in memory at most."""

_LONGEST = 10**6
"""Examples of a stream of unknown length, at most, where nothing says how many are needed."""

_ENOUGH = 10**5
"""Examples of it that are read where fewer are needed: runs of other batch sizes share them."""


def is_torch_data(loaded: object) -> bool:
    """Say whether something is a dataset or a loader of torch, or a tuple of two or three."""
    if isinstance(loaded, tuple | list) and len(loaded) in (2, 3):
        return all(isinstance(part, Dataset | DataLoader) for part in loaded)
    return isinstance(loaded, Dataset | DataLoader)


def has_unknown_length(loaded: object) -> bool:
    """Say whether something is a stream, with its splits or not, that has no ``__len__``."""
    first = loaded[0] if is_torch_data(loaded) and isinstance(loaded, tuple | list) else loaded
    dataset = first.dataset if isinstance(first, DataLoader) else first
    return isinstance(dataset, IterableDataset) and not hasattr(dataset, "__len__")


def from_torch(loaded: Any, where: str, needed: int | None = None) -> Examples:
    """Return the examples of a dataset of torch, or of ``(train, test)``, ``(train, val, test)``.

    Examples are read once, in their order, and kept in memory. Where they are drawn anew each time
    that they are read (random crops, looked for in the first of them), or are too large, inputs
    are read again for each batch: pairs ``(x, y)`` of a dataset with a length. A stream of unknown
    length, which may have no end, is read as far as a run goes.

    Args:
        loaded: The dataset or its splits.
        where: What messages call it.
        needed: How many examples a run sees; None: all of them.

    Raises:
        InputError: Something that cannot be read so; names it.
    """
    parts = list(loaded) if isinstance(loaded, tuple | list) else [loaded]
    read = [_read(part, where, None if row else needed) for row, part in enumerate(parts)]
    x, y, name, cut = read[0]
    names = {1: (), 2: ("test",), 3: ("val", "test")}[len(read)]
    classes, notes = (_attribute(parts[0], key) for key in ("classes", "notes"))
    rest: dict[str, Any] = {key: own[:2] for key, own in zip(names, read[1:], strict=True)}
    rest["classes"] = [*map(str, classes)] if isinstance(classes, Sequence) else None
    rest["notes"] = [*map(str, notes)] if isinstance(notes, list) else []
    if cut:
        rest["notes"].append(f"the first {cut:,} examples of a stream; a longer run reads more")
    return Examples(x, y, target_name=name, **rest)


def _read(part: Any, where: str, needed: int | None) -> tuple[Any, Any, str | None, int | None]:
    """Return inputs, targets, the target's name, and where a stream was cut."""
    dataset = _sampled(part, where)
    own_collate = isinstance(part, DataLoader) and part.collate_fn is not default_collate
    if type(dataset) is TensorDataset and not own_collate:
        return *parted(dataset.tensors, dataset, where), None
    try:
        fixed = isinstance(dataset, IterableDataset) or _is_fixed(dataset, where)
        if not fixed or getattr(dataset, "unread", False):
            return *_lazy(part, dataset, fixed, where), None
        batches, cut = _in_memory(part, dataset, where, needed)
        if batches is None:
            return *_lazy(part, dataset, fixed, where), None
        if isinstance(dataset, IterableDataset) and not cut:
            again = next(iter(_loader(part, dataset)), None)
            if again is not None and not equal(again, batches[0]):
                what = (
                    "gives other examples each time: only pairs (x, y) by index can be read again"
                )
                raise InputError(f"{where}: {type(dataset).__name__} {what}")
    except InputError:
        raise
    except Exception as error:
        name = type(dataset).__name__
        raise InputError(f"{where}: {name} cannot be read: {reason_of(error)}") from error
    return *parted(joined(batches, dataset, where), dataset, where), cut


def _in_memory(
    part: Any, dataset: Any, where: str, needed: int | None
) -> tuple[list[Any] | None, int | None]:
    """Return all batches, None if they are too large, and where a stream was cut."""
    batches: list[Any] = []
    size = 0
    name, endless = type(dataset).__name__, not hasattr(dataset, "__len__")
    for batch in _loader(part, dataset):
        batches.append(batch)
        size += bytes_in(batch)
        count = len(batches) * _BATCH
        if not endless and size > _LARGEST:
            return None, None
        if endless and needed is not None:
            if count >= needed and (count >= _ENOUGH or 2 * size > _LARGEST):
                return batches, count
            if size > _LARGEST:
                what = f"the run needs {needed:,} examples of it, more than fits into memory"
                raise InputError(f"{where}: {name} has no length, and {what}: lower max_steps")
        elif endless and (count > _LONGEST or size > _LARGEST):
            raise InputError(
                f"{where}: {name} has no length and more than {count - _BATCH:,} examples, or no "
                "end: set max_steps, let it end, or give it __len__"
            )
    if not batches:
        raise InputError(f"{where}: {name} has no examples")
    return batches, None


def _loader(part: Any, dataset: Dataset[Any]) -> DataLoader[Any]:
    """Return a loader that reads every example once, in its order, with the user's settings."""
    given = part if isinstance(part, DataLoader) else None
    if given is None:
        return DataLoader(dataset, batch_size=_BATCH)
    # Each worker would read a stream from its beginning, unless it shares it out by itself.
    workers = 0 if isinstance(dataset, IterableDataset) else given.num_workers
    return DataLoader(
        dataset, batch_size=_BATCH, collate_fn=given.collate_fn, num_workers=workers,
        worker_init_fn=given.worker_init_fn if workers else None,
    )  # fmt: skip


def _sampled(part: Any, where: str) -> Dataset[Any]:
    """Return the dataset of a loader, or the examples of it that its sampler chooses."""
    if not isinstance(part, DataLoader):
        return part
    dataset, sampler = part.dataset, part.sampler
    if part.batch_size is None and not isinstance(dataset, IterableDataset):
        kind = type(part.batch_sampler).__name__
        raise InputError(f"{where}: a DataLoader with a {kind} decides batches; give the dataset")
    if part.batch_size is None:
        raise InputError(f"{where}: a DataLoader with batch_size=None; give it a batch_size")
    if type(sampler) is SubsetRandomSampler:
        return Subset(dataset, sorted(sampler.indices))
    plain = type(sampler) is RandomSampler and not sampler.replacement
    whole = plain and sampler.num_samples == len(sampler.data_source)  # type: ignore[arg-type]
    if whole or type(sampler) is SequentialSampler or isinstance(dataset, IterableDataset):
        return dataset
    raise InputError(
        f"{where}: {type(sampler).__name__} decides which examples are seen, and sgdlab does: give "
        "the dataset, a Subset of it, or Examples(weight=…)"
    )


def _is_fixed(dataset: Any, where: str) -> bool:
    """Say whether the first examples are the same when they are read again."""
    name = type(dataset).__name__
    if not hasattr(dataset, "__len__"):
        raise InputError(f"{where}: {name} has no length: give it __len__, or IterableDataset")
    count = len(dataset)
    rows = sorted({row * count // _LOOKED_AT for row in range(_LOOKED_AT)} if count else ())
    return all(equal(dataset[row], dataset[row]) for row in rows)


def _attribute(part: Any, key: str) -> Any:
    """Return an attribute of a dataset, whatever it is a part of."""
    while isinstance(part, DataLoader | Subset):
        part = part.dataset
    return getattr(part, key, None)


def _lazy(part: Any, dataset: Any, fixed: bool, where: str) -> tuple[Any, Any, None]:
    """Return inputs that are read again for each batch, and the targets, which are read once."""
    name = type(dataset).__name__
    loader = _loader(part, dataset)
    first = None if isinstance(dataset, IterableDataset) else dataset[0]
    if not hasattr(dataset, "__len__") or not isinstance(first, tuple | list) or len(first) != 2:
        what = "holds more than fits into memory" if fixed else "gives other examples each time"
        raise InputError(f"{where}: {name} {what}: only pairs (x, y) by index can be read again")
    x = LazyRows(dataset, loader.collate_fn, loader.num_workers)
    y = torch.cat([targets for _, targets in x.read()])
    return (x if fixed else x.drawn()), y, None
