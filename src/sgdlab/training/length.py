"""How long a run is, and how its epochs are cut into updates."""

from typing import cast

from sgdlab.config.schema import ASYNC, LOCAL, POST_LOCAL, RunConfig
from sgdlab.config.torchrun import launch
from sgdlab.datasets.base import Dataset
from sgdlab.steps.batches import BatchPlan, LastBatch


def plan_of(config: RunConfig, data: Dataset) -> BatchPlan:
    """Return how an epoch of a config is cut into updates."""
    workers, how = config.local_sgd.workers, config.distributed.algorithm
    last, processes = cast(LastBatch, config.last_batch), config.distributed.world_size or 1
    own = launch() if processes > 1 else None
    rank, worker = own.rank if own else 0, None
    if how in (LOCAL, POST_LOCAL):
        workers, worker, processes, rank = processes, rank, 1, 0
    elif how == ASYNC:  # every update is one process's
        processes, rank = 1, 0
    examples, size = len(data.train.y), config.batch_size
    return BatchPlan.of(size, config.accumulate, examples, workers, last, processes, rank, worker)


def total_steps(config: RunConfig, plan: BatchPlan) -> int:
    """Return how many updates a config asks for: ``max_steps``, else ``epochs`` in updates."""
    return config.max_steps or config.epochs * plan.steps_per_epoch
