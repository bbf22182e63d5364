"""The update of a model in parts over the processes, and how they add up."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor
from torch.distributed.tensor import DTensor

from sgdlab.steps.base import MicroBatches, StepValues
from sgdlab.steps.plain import PlainUpdate
from sgdlab.steps.ranks import Ranks
from sgdlab.steps.sharded import Shards


class ShardedRanks(Ranks):
    """The processes of a run of which each has a part of the weights.

    Args:
        ranks: The processes.
        shards: The model, which sums its gradients itself.
    """

    def __init__(self, ranks: Ranks, shards: Shards) -> None:
        vars(self).update(vars(ranks))
        self._shards = shards

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Count what was sent: the gradients are summed."""
        self.sent, self._shards.passes = self._shards.passes * self._shards.bytes, 0

    def whole(self, value: Tensor) -> Tensor:
        """Return a number in one piece."""
        return value.full_tensor() if isinstance(value, DTensor) else value


@dataclass
class ShardedUpdate(PlainUpdate):
    """The ordinary update of a model in parts.

    Attributes:
        shards: The model; None while a first step is tried, in one process.
    """

    shards: Shards | None = field(default=None)

    def step(
        self, step: int, update: MicroBatches, lr: float, momentum: float | None
    ) -> StepValues:
        """Make one update; see `Update.step`."""
        values = super().step(step, update, lr, momentum)
        if self.shards is not None:
            self.shards.changed()
        return values

    def sync_weights(self) -> None:
        """Gather the weights in rank 0."""
        if self.shards is not None:
            self.shards.show()
