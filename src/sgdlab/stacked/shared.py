"""What the training loop of a stack needs to know, whichever runs are in it."""

from dataclasses import dataclass

from sgdlab.datasets.base import Dataset
from sgdlab.steps.batches import BatchPlan


@dataclass(frozen=True)
class Shared:
    """What all runs of a stack have in common.

    Attributes:
        data: On the device, its inputs in the layout of the first layer.
        plan: How an epoch is cut.
        total_steps: Of a run.
        eval_every: Epochs between evaluations.
        eval_batch_size: Most examples in one forward pass.
        checkpoint_every: Steps between checkpoints, if there are any.
        averages_every: Steps between two rows with running averages, if there are any.
        compiled: Whether compiled code trains them.
    """

    data: Dataset
    plan: BatchPlan
    total_steps: int
    eval_every: int
    eval_batch_size: int
    checkpoint_every: int | None
    averages_every: int | None
    compiled: bool
