"""Which kind of update a run makes."""

from torch.optim import Optimizer

from sgdlab.config.schema import ASYNC, FSDP, LOCAL, POST_LOCAL, SYNC, RunConfig
from sgdlab.errors import InputError
from sgdlab.optimizers.traits import Traits
from sgdlab.steps.base import Update
from sgdlab.steps.batches import BatchPlan
from sgdlab.steps.closure import ClosureUpdate
from sgdlab.steps.local import LocalUpdate
from sgdlab.steps.objective import Objective
from sgdlab.steps.plain import PlainUpdate
from sgdlab.steps.server import ServerUpdate
from sgdlab.steps.stale import StaleUpdate
from sgdlab.steps.worker import WorkerUpdate


def update_of(
    config: RunConfig, objective: Objective, optimizer: Optimizer, traits: Traits, plan: BatchPlan
) -> Update:
    """Return the kind of update that a run makes.

    Args:
        config: The resolved config of the run.
        objective: What is minimised.
        optimizer: The optimizer of the run.
        traits: What is known of the optimizer.
        plan: How an epoch is cut into updates.

    Raises:
        InputError: The optimizer does not go with the simulation that the config asks for.
    """
    staleness, local_sgd, zero_grad = config.staleness, config.local_sgd, config.zero_grad
    how = config.distributed.algorithm
    local = local_sgd.workers > 1 or how in (LOCAL, POST_LOCAL)
    simulated = "staleness.delay" if staleness.delay else "local_sgd.workers"
    simulated = simulated if how == SYNC else f"distributed.algorithm={how}"
    simulates = staleness.delay > 0 or local or how == ASYNC
    name = type(optimizer).__name__
    if objective.loss_scale is not None and (simulates or traits.takes_closure or not zero_grad):
        what = simulated if simulates else f"optimizer {name}" if zero_grad else "zero_grad=false"
        raise InputError(
            f"precision=fp16 leaves out steps whose gradient overflows: not with {what}; "
            "precision=bf16 needs no such thing"
        )
    if not zero_grad and (simulates or traits.takes_closure):
        what = simulated if simulates else f"optimizer {name}"
        raise InputError(f"zero_grad=false shows the fault of a plain loop: not with {what}")
    sharded = config.distributed.strategy == FSDP
    if sharded and (traits.takes_closure or traits.averages_itself):
        does = "evaluates by itself" if traits.takes_closure else "evaluates an average of its own"
        raise InputError(f"distributed.strategy=fsdp: not with optimizer {name}, which {does}")
    if traits.takes_closure:
        if simulates:
            raise InputError(f"{simulated}: {name} evaluates the function itself; take another")
        return ClosureUpdate(objective, optimizer)
    if simulates and traits.averages_itself:
        raise InputError(f"{simulated}: {name} evaluates other weights than it trains")
    if local and not traits.tensor_state:
        raise InputError(
            f"{simulated}: how to average the state of {name} is not known; take another, or "
            "write _traits_: {tensor_state: true} into your YAML if all of it is tensors by "
            "parameter"
        )
    if staleness.delay:
        return StaleUpdate(objective, optimizer, **vars(staleness), seed=config.seed)
    project = getattr(objective.model, "project_", None)
    if how in (LOCAL, POST_LOCAL):
        return WorkerUpdate(objective, optimizer, local_sgd.steps, local_sgd.start, project)
    if how == ASYNC:
        return ServerUpdate(
            objective, optimizer, staleness.correct_lr, config.distributed.max_staleness
        )
    if local:
        simulation = {**vars(local_sgd), "accumulate": plan.accumulate, "project": project}
        return LocalUpdate(objective, optimizer, **simulation)
    if sharded:
        from sgdlab.steps.sharded_update import (
            ShardedUpdate,  # few runs need it, and all of DTensor
        )

        return ShardedUpdate(objective, optimizer)
    return PlainUpdate(objective, optimizer, zero_grad)
