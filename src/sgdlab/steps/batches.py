"""Arithmetic and order of mini-batches."""

import functools
import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from sgdlab.datasets.base import Split
from sgdlab.errors import InputError
from sgdlab.steps.shares import part_of, refuse_too_few, share_of

LastBatch = Literal["keep", "drop", "merge"]

Change = Callable[[int, Split], Split]
"""Changes the examples of an update, whose number it is told."""

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

    Every example occurs once in an epoch; the last update of an epoch may be smaller. With
    ``last_batch="drop"`` that update is left out, and other examples are missed in every epoch;
    with ``"merge"`` its examples join the update before, and those of a smaller micro-batch the
    micro-batch before.

    Of ``world_size`` processes each has its part of every micro-batch, so that all together make
    the updates of one process with a batch ``world_size`` times as large. The parts are disjoint
    and differ by at most one example; of the last and smaller micro-batch one may be empty.

    A process that is one worker of local SGD, number ``worker``, has the micro-batches of that
    worker, and the plan is otherwise that of the one process that simulates all.
    """

    examples: int
    batch_size: int
    accumulate: int = 1
    workers: int = 1
    last_batch: LastBatch = "keep"
    world_size: int = 1
    rank: int = 0
    worker: int | None = None

    @classmethod
    def of(
        cls,
        batch_size: int | str,
        accumulate: int,
        examples: int,
        workers: int = 1,
        last_batch: LastBatch = "keep",
        world_size: int = 1,
        rank: int = 0,
        worker: int | None = None,
    ) -> "BatchPlan":
        """Check the keys of a config against the size of its training split.

        Args:
            batch_size: Examples of a forward pass; ``full``: all, shared out among the processes.
            accumulate: Micro-batches of an update, of one worker.
            examples: Those of the training split.
            workers: Workers of local SGD.
            last_batch: What becomes of the last and smaller update.
            world_size: The processes that train together.
            rank: The number of this one.
            worker: The number of the worker that this process is; None: all are in it.

        Raises:
            InputError: The batch exceeds the data, or ``accumulate`` or ``workers`` the epoch.
        """
        if world_size > 1:
            own = -(-examples // world_size) if batch_size == "full" else int(batch_size)
            whole = "full" if batch_size == "full" else own * world_size
            if whole != "full" and whole > examples:
                raise InputError(
                    f"batch_size={own}: {world_size} processes take {whole} examples together, "
                    f"and the training split has {examples}; at most batch_size="
                    f"{examples // world_size}"
                )
            as_one = cls.of(whole, accumulate, examples, workers, last_batch)
            return replace(as_one, batch_size=own, world_size=world_size, rank=rank)
        size = examples if batch_size == "full" else int(batch_size)
        whose = f"local_sgd.workers={workers}" if worker is None else f"{workers} processes"
        refuse_too_few(examples, size, accumulate, workers, last_batch == "drop", whose)
        return cls(examples, size, accumulate, workers, last_batch, worker=worker)

    @property
    def micro_batch_size(self) -> int:
        """Examples of a micro-batch, those of all processes together."""
        return min(self.batch_size * self.world_size, self.examples)

    @property
    def effective_batch_size(self) -> int:
        """Examples of one update, ``batch_size * accumulate * workers * world_size``."""
        return self.micro_batch_size * self.accumulate * self.workers

    def as_one(self) -> "BatchPlan":
        """Return the plan of the one process whose updates these processes make together."""
        return replace(self, batch_size=self.micro_batch_size, world_size=1, rank=0, worker=None)

    @property
    def steps_per_epoch(self) -> int:
        """Updates of one epoch, the last and smaller one included where it is kept."""
        whole, rest = divmod(self.examples, self.effective_batch_size)
        return whole + (rest > 0 and (self.last_batch == "keep" or not whole))

    @property
    def sizes(self) -> set[int]:
        """The sizes of all micro-batches of an epoch, those of all processes together."""
        last = self.examples - (self.steps_per_epoch - 1) * self.effective_batch_size
        if self.last_batch == "drop":
            return {self.micro_batch_size}
        return {self.micro_batch_size} & {*self._parts(self.examples)} | {*self._parts(last)}

    def micro_sizes(self, update: int) -> tuple[int, ...]:
        """Return the sizes of the micro-batches of an update of an epoch, counted from 0.

        They are those of all processes together.
        """
        first = update * self.effective_batch_size
        is_last = update == self.steps_per_epoch - 1 and self.last_batch != "drop"
        end = self.examples if is_last else first + self.effective_batch_size
        return tuple(self._parts(end - first))

    def _parts(self, examples: int) -> list[int]:
        """Return the sizes of the micro-batches of one update."""
        size = self.micro_batch_size
        whole, rest = divmod(examples, size)
        if rest and whole and self.last_batch == "merge":
            return [*[size] * (whole - 1), size + rest]
        return [*[size] * whole, *([rest] if rest else [])]

    def order(self, seed: int, epoch: int) -> Tensor:
        """Return the order of the examples in an epoch, counted from 0; on CPU."""
        generator = torch.Generator().manual_seed(stream_seed(seed, "order", epoch))
        return torch.randperm(self.examples, generator=generator)

    def epoch(
        self, train: Split, seed: int, epoch: int, skip: int = 0, change: Change | None = None
    ) -> Iterator[list[Split]]:
        """Yield the micro-batches of every update of an epoch, in the run's order.

        The order depends on ``seed`` and ``epoch`` alone: nothing needs to be saved to resume.

        Args:
            train: The training split.
            seed: The run's seed.
            epoch: The number of the epoch, counted from 0.
            skip: The updates at the start of the epoch that are done already.
            change: Is handed all examples of an update, before they are cut into micro-batches.
        """
        if (self.world_size > 1 or self.worker is not None) and change is None:
            return self._own_updates(train, seed, epoch, skip)
        updates = self._updates(train, seed, epoch, skip)
        if change is not None:
            first = epoch * self.steps_per_epoch + skip
            updates = itertools.starmap(change, enumerate(updates, first))
        return map(self._micro_batches, updates)

    def _updates(self, train: Split, seed: int, epoch: int, skip: int) -> Iterator[Split]:
        order = self.order(seed, epoch).to(train.y.device)
        train = train.drawn(stream_seed(seed, "windows", epoch))
        effective, steps = self.effective_batch_size, self.steps_per_epoch
        # The last update has more examples where the rest is merged with it.
        even = (steps - 1 if self.last_batch == "merge" else steps) * effective
        block = max(1, _BLOCK // effective) * effective if train.is_read else len(order)
        whole = order[skip * effective : even]
        for part in whole.split(block) if len(whole) else ():  # torch splits none into one
            yield from train.part(part).batches(effective)
        if even < steps * effective and skip < steps:
            yield train.take(order[even:])

    def _own_updates(self, train: Split, seed: int, epoch: int, skip: int) -> Iterator[list[Split]]:
        """Yield the own micro-batches of every update; no other examples are read."""
        order, start = self.order(seed, epoch), skip * self.effective_batch_size
        train = train.drawn(stream_seed(seed, "windows", epoch))
        at_once = max(1, _BLOCK // self.effective_batch_size) if train.is_read else self.examples
        for first in range(skip, self.steps_per_epoch, at_once):
            rows, sizes = list[Tensor](), list[list[int]]()
            for update in range(first, min(first + at_once, self.steps_per_epoch)):
                sizes.append([])
                whole = self.micro_sizes(update)
                taken = range(len(whole))[self._share(len(whole))]
                for place, size in enumerate(whole):
                    part = part_of(self.rank, self.world_size, size if place in taken else 0)
                    own = order[start : start + size][part]
                    start += size
                    if len(own):
                        rows.append(own)
                        sizes[-1].append(len(own))
            flat = list(itertools.chain(*sizes))
            read = train.part(torch.cat(rows).to(train.y.device)) if rows else None
            batches = iter(()) if read is None else read.batches(flat)
            for own_sizes in sizes:
                yield [next(batches) for _ in own_sizes]

    def one(
        self, train: Split, seed: int, epoch: int, update: int, change: Change | None = None
    ) -> list[Split]:
        """Return the micro-batches of one update of an epoch, and read no others; see `epoch`."""
        first, size = update * self.effective_batch_size, sum(self.micro_sizes(update))
        rows = _order(self, seed, epoch)[first : first + size].to(train.y.device)
        whole = next(train.drawn(stream_seed(seed, "windows", epoch)).part(rows).batches(size))
        if change is not None:
            whole = change(epoch * self.steps_per_epoch + update, whole)
        return self._micro_batches(whole)

    def _share(self, count: int) -> slice:
        """Return which micro-batches of an update, by their place, this process has a part of."""
        if self.worker is None:
            return slice(None)
        return share_of(self.worker, self.workers, self.accumulate, count)

    def _micro_batches(self, update: Split) -> list[Split]:
        if self.world_size > 1 or self.worker is not None:
            whole = self.as_one()._micro_batches(update)
            place = (self.rank, self.world_size)
            taken = whole[self._share(len(whole))]
            own = [batch.take(part_of(*place, len(batch.y))) for batch in taken]
            return [batch for batch in own if len(batch.y)]
        if len(update.y) <= self.batch_size:
            return [update]
        if self.last_batch == "merge":
            return list(update.batches(self._parts(len(update.y))))
        return list(update.batches(self.batch_size))


@functools.lru_cache(maxsize=2)
def _order(plan: BatchPlan, seed: int, epoch: int) -> Tensor:
    """Return `BatchPlan.order`, kept for those who ask for one update after the other."""
    return plan.order(seed, epoch)
