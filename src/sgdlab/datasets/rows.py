"""Inputs of examples: a tensor with a row each, a mapping of such tensors, or unread ones.

A mapping is what a model takes as keyword arguments; all its tensors have the same rows. Targets
are a tensor, or windows where their inputs are.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import torch
from torch import Tensor

from sgdlab.datasets.lazy import LazyRows
from sgdlab.datasets.windows import Windows

Rows = Tensor | Mapping[str, Tensor] | LazyRows | Windows

UNREAD = (LazyRows, Windows)
"""What is read, or cut, as a batch needs it."""


def count(rows: Rows) -> int:
    """Return the number of examples."""
    return len(next(iter(rows.values()))) if isinstance(rows, Mapping) else len(rows)


def take(rows: Rows, index: Any) -> Any:
    """Return the examples at ``index``, an int64 tensor or a slice; unread ones are read."""
    if isinstance(rows, UNREAD):
        return rows.part(index).load()
    if isinstance(rows, Tensor):
        if not isinstance(index, Tensor):
            return rows[index]
        if rows.ndim == 4 and not rows.is_contiguous():  # channels last, which would get lost
            return rows.permute(0, 2, 3, 1).index_select(0, index).permute(0, 3, 1, 2)
        return rows.index_select(0, index)
    return {name: take(part, index) for name, part in rows.items()}


def part(rows: Rows, index: Any) -> Any:
    """Return what `take` returns, unread ones still unread."""
    return rows.part(index) if isinstance(rows, UNREAD) else take(rows, index)


def split(rows: Rows, size: int | list[int]) -> Iterable[Any]:
    """Return the examples in their order, ``size`` at a time; the last part may be smaller.

    Args:
        rows: The examples.
        size: The examples of a part; or those of every part.
    """
    if isinstance(rows, LazyRows):
        return rows.batches(size)
    if isinstance(rows, Tensor | Windows):
        return rows.split(size)
    parts = {name: part.split(size) for name, part in rows.items()}
    return [dict(zip(parts, values, strict=True)) for values in zip(*parts.values(), strict=True)]


def moved(rows: Any, device: torch.device | str, dtype: torch.dtype) -> Any:
    """Return the examples on ``device``, floating tensors as ``dtype``, others of their type."""
    if isinstance(rows, LazyRows):
        return rows.on(device, dtype)
    if isinstance(rows, Windows):
        return rows.on(device)
    if isinstance(rows, Tensor):
        return rows.to(device, dtype if rows.is_floating_point() else None)
    return {name: moved(part, device, dtype) for name, part in rows.items()}


def tensors(rows: Rows) -> list[Tensor | Windows]:
    """Return the tensors in the order of their names; for unread ones, what stands for them."""
    if isinstance(rows, LazyRows):
        return [rows.fingerprint()]
    if isinstance(rows, Tensor | Windows):
        return [rows]
    return [cast(Tensor, rows[name]) for name in sorted(rows)]
