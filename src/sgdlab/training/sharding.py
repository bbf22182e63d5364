"""A run whose model and optimizer are in parts over its processes: strategy=fsdp."""

from sgdlab.errors import InputError
from sgdlab.steps.ranks import Ranks
from sgdlab.training.build import Run


def shard(run: Run, ranks: Ranks) -> Ranks:
    """Leave each process a part of a run's model and optimizer; return how they add up then.

    Raises:
        InputError: Some part of the run needs them whole.
    """
    from sgdlab.steps.sharded import Shards  # few runs need it, and all of DTensor
    from sgdlab.steps.sharded_update import ShardedRanks, ShardedUpdate

    key = "distributed.strategy=fsdp"
    refuse_few(run.plan.sizes, ranks.size, f"{key}, in which all take part in every step")
    trained = {id(p) for p in run.model.parameters()}
    if any(id(p) not in trained for p in run.objective.parameters):
        raise InputError(f"{key}: the loss has parameters of its own; strategy=ddp")
    if hasattr(run.model, "project_") and getattr(run.model, "constrained", True):
        raise InputError(f"{key}: the model projects its whole weights; strategy=ddp")
    assert isinstance(run.update, ShardedUpdate)
    shards = Shards(run.model, run.optimizer, ranks.devices, shows=ranks.rank == 0)
    run.shards = run.update.shards = shards
    run.objective.parameters[:] = [p for g in run.optimizer.param_groups for p in g["params"]]
    run.ranks = run.objective.ranks = sharded = ShardedRanks(ranks, shards)
    return sharded


def refuse_few(sizes: set[int], processes: int, what: str) -> None:
    """Refuse micro-batches of which a process would have nothing.

    Raises:
        InputError: There are some.
    """
    if min(sizes) < processes:
        raise InputError(
            f"{what}: the last micro-batch of an epoch has "
            f"{min(sizes)} examples, less than one each; last_batch=drop or merge leaves none so "
            "small"
        )
