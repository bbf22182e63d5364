"""Inputs that are read each time a batch needs them: too large for memory, or drawn anew."""

import copy
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Subset

from sgdlab.datasets.ahead import copied_ahead
from sgdlab.errors import InputError

_BATCH = 256


class LazyRows:
    """Inputs of the examples of a `torch.utils.data.Dataset`, one tensor each, of equal shapes.

    A batch is read by a `DataLoader` with the user's ``collate_fn`` and workers; what an example
    draws follows the stream of the run.

    Args:
        dataset: Gives ``(x, y)`` for an index.
        collate: Joins examples to a batch.
        workers: Processes that read ahead; 0 reads in this one.
    """

    def __init__(self, dataset: Dataset[Any], collate: Any, workers: int) -> None:
        self._dataset, self._collate, self._workers = dataset, collate, workers
        self._rows: Sequence[int] = range(len(dataset))  # type: ignore[arg-type]
        self._device: torch.device | str = "cpu"
        self._dtype: torch.dtype | None = None
        self._mean: Tensor | float = 0.0
        self._scale: Tensor | float = 1.0
        self._last: bool = False
        self._drawn = False

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self._rows)

    def _changed(self, **values: Any) -> "LazyRows":
        other = copy.copy(self)
        vars(other).update(values)
        return other

    def part(self, rows: Any) -> "LazyRows":
        """Return some of the examples, still unread; ``rows`` is an int64 tensor or a slice."""
        if isinstance(rows, slice):
            return self._changed(_rows=self._rows[rows])
        return self._changed(_rows=[self._rows[int(row)] for row in rows])

    def channels_last(self) -> "LazyRows":
        """Say that examples are ``[height, width, channels]``, to be turned as they are read."""
        return self._changed(_last=True)

    def drawn(self) -> "LazyRows":
        """Say that an example is another each time that it is read."""
        return self._changed(_drawn=True)

    def standardized(self, mean: Tensor, scale: Tensor) -> "LazyRows":
        """Return the inputs less ``mean``, over ``scale``; both are shaped to broadcast."""
        return self._changed(_mean=mean, _scale=scale)

    def on(self, device: torch.device | str, dtype: torch.dtype) -> "LazyRows":
        """Return the inputs to be on ``device`` as ``dtype``."""
        return self._changed(_device=device, _dtype=dtype)

    def load(self) -> Tensor:
        """Return all examples as one tensor."""
        return torch.cat(list(self.batches([len(self)] if len(self) <= _BATCH else _BATCH)))

    def batches(self, size: int | Sequence[int]) -> Iterator[Tensor]:
        """Yield the examples in their order, ``size`` at a time, or of these sizes.

        For a CUDA device the next batch is read and copied while the step before it runs; what
        draws from this process's generators is not, since a checkpoint says where they stand.
        """
        read = (x for x, _ in self.read(size))
        device = torch.device(self._device)
        if device.type == "cuda" and not (self._drawn and self._workers == 0):
            yield from copied_ahead(read, self._ready, device)
        else:
            yield from map(self._ready, read)

    def read(self, size: int | Sequence[int] = _BATCH) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield inputs and targets as the dataset gives them."""
        count = len(self)
        sizes = size if not isinstance(size, int) else [size] * -(-count // size)
        order, start = list[list[int]](), 0
        for length in sizes:
            order.append(list(range(start, min(start + length, count))))
            start += length
        subset = Subset(self._dataset, self._rows)
        loader = DataLoader(
            subset, batch_sampler=order, collate_fn=self._collate, num_workers=self._workers,
            pin_memory=torch.device(self._device).type == "cuda",
        )  # fmt: skip
        yield from ((batch[0], batch[1]) for batch in loader)

    def _ready(self, x: Tensor) -> Tensor:
        if self._last:
            x = x.permute(0, 3, 1, 2)
        x = x.to(self._device, non_blocking=True)
        x = x if x.is_floating_point() else x.float()
        if self._dtype is not None:
            x = x.to(self._dtype)
        own = [v.to(x) if isinstance(v, Tensor) else v for v in (self._mean, self._scale)]
        return ((x - own[0]) / own[1]).contiguous()

    def moments(self) -> tuple[Tensor, Tensor]:
        """Return mean and population deviation over the examples, per channel of images.

        Sums are in float64; of a constant the deviation is 1.

        Raises:
            InputError: Inputs that are not finite.
        """
        count, total, squares = 0, torch.zeros(()), torch.zeros(())
        for batch in self.batches(_BATCH):
            x = batch.double()
            if not bool(x.isfinite().all()):
                raise InputError("x has missing or infinite values: drop or fill them")
            axes = (0, 2, 3) if x.ndim == 4 else (0,)
            total = total + x.sum(axes, keepdim=True)
            squares = squares + x.square().sum(axes, keepdim=True)
            count += x.numel() // x.sum(axes).numel()
        mean = total / count
        variance = (squares / count - mean.square()).clamp(min=0)
        small = variance <= 1e-12 * mean.square()
        return mean.float(), torch.where(small, 1.0, variance.sqrt()).float()

    def fingerprint(self) -> Tensor:
        """Return a hash of the inputs as they are read, uint8; of drawn ones their number."""
        digest = hashlib.sha256(str(len(self)).encode())
        if not self._drawn:
            for x, _ in self.read():
                digest.update(x.contiguous().numpy().data)
        return torch.frombuffer(bytearray(digest.digest()), dtype=torch.uint8)
