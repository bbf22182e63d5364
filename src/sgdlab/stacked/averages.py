"""Averages of the weights of the runs of a stack."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import get_swa_multi_avg_fn

from sgdlab.averaging import Average


class StackedAverage:
    """The running averages of all runs of a stack; see `sgdlab.averaging.Averager`.

    They are updated number by number, so that a run's does not depend on the runs beside it.

    Args:
        rule: Which weights enter the averages, and how.
        total_steps: The steps of a run.
        steps_per_epoch: The steps of an epoch.
    """

    def __init__(self, rule: Average, total_steps: int, steps_per_epoch: int) -> None:
        self._rule = rule
        self._length = total_steps, steps_per_epoch
        self._update = rule.rule(total_steps) or get_swa_multi_avg_fn()
        self._count = 0
        self.params: list[Tensor] | None = None
        """The stacked averages; None before the first weights."""

    def update(self, step: int, params: Sequence[Tensor]) -> None:
        """Take in the weights after ``step`` updates, if due."""
        if not self._rule.due(step, *self._length):
            return
        if self.params is None:
            self.params = [p.clone() for p in params]
        else:
            with torch.no_grad():
                # A number as count: torch would divide by a tensor in single precision.
                self._update(self.params, list(params), self._count)
        self._count += 1

    def keep(self, rows: Tensor) -> None:
        """Go on with some of the runs only."""
        if self.params is not None:
            self.params = [p.index_select(0, rows) for p in self.params]

    def state(self, names: Sequence[str], unpacked: Sequence[Tensor], row: int) -> dict[str, Any]:
        """Return what a checkpoint of one run needs: the number of weights, and their average.

        Args:
            names: The names of the parameters.
            unpacked: The averages as modules have them; empty before the first weights.
            row: The run.
        """
        own = {n: v[row].clone() for n, v in zip(names, unpacked, strict=False)}
        return {"count": self._count, "params": own}

    def restore(self, count: int, params: list[Tensor] | None) -> None:
        """Go on from the number of weights so far, and the stacked averages."""
        self._count, self.params = count, params
