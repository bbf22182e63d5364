"""Batches that a user's dataset gives: compared, joined, parted into inputs and targets."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor

from sgdlab.errors import InputError

TARGETS = ("labels", "label", "target", "targets", "y")
"""Keys of a mapping that hold the target; all others are inputs."""


def equal(a: Any, b: Any) -> bool:
    """Say whether two examples, or two batches, are the same."""
    if isinstance(a, Mapping):
        return all(equal(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list):
        return all(equal(*pair) for pair in zip(a, b, strict=True))
    a, b = (torch.as_tensor(value) if not isinstance(value, str) else value for value in (a, b))
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)):
        return a == b
    missing = a.is_floating_point() and a.shape == b.shape  # nan is what it was
    return torch.allclose(a, b, rtol=0, atol=0, equal_nan=True) if missing else torch.equal(a, b)


def bytes_in(batch: Any) -> int:
    """Return the bytes of the tensors of a batch."""
    if isinstance(batch, Mapping):
        return sum(map(bytes_in, batch.values()))
    if isinstance(batch, tuple | list):
        return sum(map(bytes_in, batch))
    return batch.numel() * batch.element_size() if isinstance(batch, Tensor) else 0


def joined(batches: list[Any], dataset: Any, where: str) -> Any:
    """Return all examples as one batch, of the form of these.

    Raises:
        InputError: No tensors, or tensors of different shapes.
    """
    first = batches[0]
    if isinstance(first, Mapping):
        return {key: joined([b[key] for b in batches], dataset, where) for key in first}
    if isinstance(first, tuple | list):
        return [joined(list(parts), dataset, where) for parts in zip(*batches, strict=True)]
    if not isinstance(first, Tensor):
        raise InputError(
            f"{where}: {type(dataset).__name__} gives {type(first).__name__}, not numbers: "
            "encode it first"
        )
    shapes = {tuple(part.shape[1:]) for part in batches}
    if len(shapes) > 1:
        raise InputError(
            f"{where}: batches of {type(dataset).__name__} have different shapes, "
            f"{' and '.join(str(list(s)) for s in sorted(shapes)[:2])}: pad all to one length"
        )
    return torch.cat(batches)


def parted(read: Any, dataset: Any, where: str) -> tuple[Any, Any, str | None]:
    """Return inputs and targets of all examples: a pair, or a mapping with a key for the target."""
    if isinstance(read, Mapping):
        named = cast("Mapping[str, Any]", read)
        found = [key for key in TARGETS if key in named]
        if len(found) > 1:
            raise InputError(f"{where}: {' and '.join(found)} may all be the target; keep one")
        x = {key: value for key, value in named.items() if key not in found}
        return (x, named[found[0]], found[0]) if found else (x, None, None)
    if isinstance(read, tuple | list) and len(read) == 2:
        return read[0], read[1], None
    if isinstance(read, tuple | list) and len(read) == 1:
        return read[0], None, None
    got = f"{len(read)} values" if isinstance(read, tuple | list) else type(read).__name__
    raise InputError(
        f"{where}: an example of {type(dataset).__name__} is {got}: expected (x, y), or a mapping "
        f"with the target under {TARGETS[0]}"
    )
