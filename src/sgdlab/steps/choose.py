"""Which kind of update a run makes."""

from typing import Protocol

from torch.optim import Optimizer

from sgdlab.errors import InputError
from sgdlab.steps.base import Update
from sgdlab.steps.batches import BatchPlan
from sgdlab.steps.closure import ClosureUpdate, evaluates_itself
from sgdlab.steps.local import LocalUpdate
from sgdlab.steps.objective import Objective
from sgdlab.steps.plain import PlainUpdate
from sgdlab.steps.stale import StaleUpdate


class StalenessSettings(Protocol):
    """Section ``staleness`` of a config; see `StaleUpdate`."""

    delay: int
    random: bool
    correct_lr: bool


class LocalSgdSettings(Protocol):
    """Section ``local_sgd`` of a config; see `LocalUpdate`."""

    workers: int
    steps: int


def update_of(
    objective: Objective,
    optimizer: Optimizer,
    plan: BatchPlan,
    staleness: StalenessSettings,
    local_sgd: LocalSgdSettings,
    seed: int,
    zero_grad: bool = True,
) -> Update:
    """Return the kind of update that a run makes.

    Raises:
        InputError: A simulation that the optimizer does not go with.
    """
    simulated = "staleness.delay" if staleness.delay else "local_sgd.workers"
    simulates = staleness.delay > 0 or local_sgd.workers > 1
    name = type(optimizer).__name__
    if not zero_grad and (simulates or evaluates_itself(optimizer)):
        what = simulated if simulates else f"optimizer {name}"
        raise InputError(f"zero_grad=false shows the fault of a plain loop: not with {what}")
    if evaluates_itself(optimizer):
        if simulates:
            raise InputError(f"{simulated}: {name} evaluates the function itself; take another")
        return ClosureUpdate(objective, optimizer)
    if local_sgd.workers > 1 and not _averages(optimizer):
        raise InputError(
            f"local_sgd.workers: how to average the state of {name} is not known; take one of "
            "torch.optim's or sgdlab's own, or give your class averages_state = True"
        )
    if simulates and callable(getattr(optimizer, "eval", None)):
        raise InputError(f"{simulated}: {name} evaluates other weights than it trains")
    if staleness.delay:
        random, correct_lr = staleness.random, staleness.correct_lr
        return StaleUpdate(objective, optimizer, staleness.delay, random, correct_lr, seed)
    if local_sgd.workers > 1:
        project = getattr(objective.model, "project_", None)
        workers, steps = local_sgd.workers, local_sgd.steps
        return LocalUpdate(objective, optimizer, workers, steps, plan.accumulate, project)
    return PlainUpdate(objective, optimizer, zero_grad)


def _averages(optimizer: Optimizer) -> bool:
    """Say whether all of an optimizer's state is tensors by parameter, which can be averaged.

    Some packages count steps in their groups or keep lists of tensors; SWATS may have switched
    in one worker and not in another.
    """
    ours = type(optimizer).__module__.startswith(("torch.optim.", "sgdlab.optimizers."))
    return getattr(optimizer, "averages_state", ours)
