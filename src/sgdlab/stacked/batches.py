"""The batches of many runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sgdlab.steps.batches import BatchPlan

Micro = tuple[Tensor, Tensor, float]
"""Inputs ``[R, B, …]``, targets ``[R, B, …]`` and the batch's share of its update's examples."""


@dataclass(frozen=True)
class StackedBatches:
    """Cuts epochs as the plan does, for all runs, each in the order of its own seed.

    Runs that all have one seed share their batches: these are gathered once, and expanded.

    Attributes:
        x: The inputs of the training split, ``[n, …]``.
        y: The targets, ``[n, …]``.
        plan: How an epoch of one run is cut.
        seeds: The seeds of the runs.
    """

    x: Tensor
    y: Tensor
    plan: BatchPlan
    seeds: Sequence[int]
    _known: dict[int, Tensor] = field(default_factory=dict[int, Tensor], repr=False)

    def order(self, epoch: int) -> Tensor:
        """Return the order of an epoch, ``[R, n]``, or ``[1, n]`` where all runs share it."""
        if epoch not in self._known:
            orders = {seed: self.plan.order(seed, epoch) for seed in self.seeds}
            rows = list(orders.values()) if len(orders) == 1 else [orders[s] for s in self.seeds]
            self._known.clear()
            self._known[epoch] = torch.stack(rows).to(self.x.device)
        return self._known[epoch]

    def epoch(self, epoch: int, skip: int = 0) -> Iterator[tuple[int, list[Micro]]]:
        """Yield the number of examples and the micro-batches of every update of an epoch.

        Args:
            epoch: The number of the epoch, counted from 0.
            skip: The updates at its start that are done already.
        """
        runs, plan = len(self.seeds), self.plan
        order = self.order(epoch)
        rows = len(order)
        start = skip * plan.effective_batch_size
        for update in range(skip, plan.steps_per_epoch):
            sizes, micros = plan.micro_sizes(update), list[Micro]()
            for size in sizes:
                index = order[:, start : start + size].reshape(-1)
                x = self.x.index_select(0, index).unflatten(0, (rows, size))
                y = self.y.index_select(0, index).unflatten(0, (rows, size))
                if rows < runs:
                    x, y = x.expand(runs, *x.shape[1:]), y.expand(runs, *y.shape[1:])
                micros.append((x, y, size / sum(sizes)))
                start += size
            yield sum(sizes), micros
