"""Where in an epoch compiled code takes several steps at once."""

import functools
from dataclasses import dataclass

from sgdlab.steps.batches import BatchPlan


@dataclass(frozen=True)
class Chunks:
    """Cuts every epoch into the same chunks of steps, each of which is one call.

    All of the same length but the last, which takes the rest of the whole batches and the smaller
    batch at the end: so two graphs serve all epochs. A chunk begins at a place in the epoch, not
    where a run happens to begin: a run that goes on after a stop has the same chunks.

    Attributes:
        plan: How an epoch is cut into updates.
        length: The steps of a chunk.
    """

    plan: BatchPlan
    length: int

    @property
    def steps(self) -> int:
        """The steps of an epoch."""
        return self.plan.steps_per_epoch

    @functools.cache  # noqa: B019  there is one for each group
    def at(self, step: int) -> tuple[tuple[int, ...], ...] | None:
        """Return the sizes of the micro-batches of each step of a chunk.

        Args:
            step: The step of the epoch, counted from 0, that it begins at.

        Returns:
            None: no chunk begins there.
        """
        if step % self.length or step >= self.steps:
            return None
        end = min(step + self.length, self.steps)
        return tuple(self.plan.micro_sizes(update) for update in range(step, end))
