"""The hash that says whether two runs saw the same data."""

import hashlib
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from sgdlab.datasets.base import Split
from sgdlab.datasets.rows import tensors
from sgdlab.datasets.windows import Windows


def fingerprint(splits: Iterable[Split], others: Sequence[Tensor] = ()) -> str:
    """Return the SHA-256 over dtype, shape and bytes of the tensors of splits, and of others."""
    digest = hashlib.sha256()
    for tensor in (*(t for split in splits for t in _tensors(split)), *others):
        if isinstance(tensor, Windows):  # as the same rows would count in memory
            digest.update(f"{torch.int64} {list(tensor.shape)}".encode())
            tensor.update(digest)
            continue
        digest.update(f"{tensor.dtype} {list(tensor.shape)}".encode())
        # The last digits of float64 differ between machines.
        single = tensor.float() if tensor.dtype == torch.float64 else tensor
        digest.update(single.contiguous().numpy().data)
    return digest.hexdigest()


def _tensors(split: Split) -> list[Tensor | Windows]:
    weight = [] if split.weight is None else [split.weight]
    return [*tensors(split.x), *tensors(split.y), *weight]
