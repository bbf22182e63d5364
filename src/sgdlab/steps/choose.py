"""Which kind of update a run makes."""

from torch.optim import Optimizer

from sgdlab.config.schema import RunConfig
from sgdlab.errors import InputError
from sgdlab.optimizers.traits import Traits
from sgdlab.steps.base import Update
from sgdlab.steps.batches import BatchPlan
from sgdlab.steps.closure import ClosureUpdate
from sgdlab.steps.local import LocalUpdate
from sgdlab.steps.objective import Objective
from sgdlab.steps.plain import PlainUpdate
from sgdlab.steps.stale import StaleUpdate


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
    simulated = "staleness.delay" if staleness.delay else "local_sgd.workers"
    simulates = staleness.delay > 0 or local_sgd.workers > 1
    name = type(optimizer).__name__
    if not zero_grad and (simulates or traits.takes_closure):
        what = simulated if simulates else f"optimizer {name}"
        raise InputError(f"zero_grad=false shows the fault of a plain loop: not with {what}")
    if traits.takes_closure:
        if simulates:
            raise InputError(f"{simulated}: {name} evaluates the function itself; take another")
        return ClosureUpdate(objective, optimizer)
    if simulates and traits.averages_itself:
        raise InputError(f"{simulated}: {name} evaluates other weights than it trains")
    if local_sgd.workers > 1 and not traits.tensor_state:
        raise InputError(
            f"local_sgd.workers: how to average the state of {name} is not known; take another, or "
            "write _traits_: {tensor_state: true} into your YAML if all of it is tensors by "
            "parameter"
        )
    if staleness.delay:
        return StaleUpdate(objective, optimizer, **vars(staleness), seed=config.seed)
    if local_sgd.workers > 1:
        project = getattr(objective.model, "project_", None)
        simulation = {**vars(local_sgd), "accumulate": plan.accumulate, "project": project}
        return LocalUpdate(objective, optimizer, **simulation)
    return PlainUpdate(objective, optimizer, zero_grad)
