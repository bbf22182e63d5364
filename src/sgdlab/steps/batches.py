"""Arithmetic and order of mini-batches."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sgdlab.errors import InputError

# Examples gathered at once: slicing a gathered block costs a tenth of one gather per batch.
_BLOCK = 4096


def stream_seed(seed: int, stream: str, index: int = 0) -> int:
    """Return the seed of one of a run's random streams (``init``, ``order``, ``other``).

    Streams are independent of each other, so that two optimizers at one ``seed`` start from the
    same weights and see the same batches, whatever else they draw.
    """
    digest = hashlib.sha256(f"{seed}/{stream}/{index}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


@dataclass(frozen=True)
class BatchPlan:
    """How an epoch of ``examples`` is cut into updates and micro-batches.

    Every example occurs once in an epoch; the last update of an epoch may be smaller.
    """

    examples: int
    batch_size: int
    accumulate: int = 1
    workers: int = 1

    @classmethod
    def of(
        cls, batch_size: int | str, accumulate: int, examples: int, workers: int = 1
    ) -> "BatchPlan":
        """Check the keys of a config against the size of its training split.

        Raises:
            InputError: The batch exceeds the data, or ``accumulate`` or ``workers`` the epoch.
        """
        size = examples if batch_size == "full" else int(batch_size)
        if size > examples:
            raise InputError(
                f"batch_size={size}: larger than the training split ({examples} examples); "
                "batch_size=full takes all of it"
            )
        most = -(-examples // size)
        if accumulate > most:
            raise InputError(
                f"accumulate={accumulate}: an epoch of {examples} examples has only {most} "
                f"micro-batches of {size}; at most accumulate={most}"
            )
        if accumulate * workers > most:
            raise InputError(
                f"local_sgd.workers={workers}: an epoch of {examples} examples has only {most} "
                f"micro-batches of {size}, and each worker takes {accumulate} of them"
            )
        return cls(examples, size, accumulate, workers)

    @property
    def effective_batch_size(self) -> int:
        """Examples of one update, ``batch_size * accumulate * workers``."""
        return self.batch_size * self.accumulate * self.workers

    @property
    def steps_per_epoch(self) -> int:
        """Updates of one epoch, the last and smaller one included."""
        return -(-self.examples // self.effective_batch_size)

    def order(self, seed: int, epoch: int) -> Tensor:
        """Return the order of the examples in an epoch, counted from 0; on CPU."""
        generator = torch.Generator().manual_seed(stream_seed(seed, "order", epoch))
        return torch.randperm(self.examples, generator=generator)

    def epoch(
        self, x: Tensor, y: Tensor, seed: int, epoch: int, skip: int = 0
    ) -> Iterator[list[tuple[Tensor, Tensor]]]:
        """Yield the micro-batches ``(x, y)`` of every update of an epoch, in the run's order.

        The order depends on ``seed`` and ``epoch`` alone: nothing needs to be saved to resume.

        Args:
            x: The inputs of the training split, ``[examples, ...]``.
            y: The targets, ``[examples, ...]``.
            seed: The run's seed.
            epoch: The number of the epoch, counted from 0.
            skip: The updates at the start of the epoch that are done already.
        """
        order = self.order(seed, epoch).to(x.device)
        effective = self.effective_batch_size
        block = max(1, _BLOCK // effective) * effective
        for part in order[skip * effective :].split(block):
            xs, ys = x.index_select(0, part), y.index_select(0, part)
            if effective == self.batch_size:
                for pair in zip(xs.split(effective), ys.split(effective), strict=True):
                    yield [pair]
                continue
            for update in zip(xs.split(effective), ys.split(effective), strict=True):
                micro = (values.split(self.batch_size) for values in update)
                yield list(zip(*micro, strict=True))
