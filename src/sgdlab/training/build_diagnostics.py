"""From the section ``diagnostics`` to what looks at the steps of a run."""

from collections.abc import Mapping
from typing import Any, TypeVar

from torch.optim import Optimizer

from sgdlab.config.instantiate import call, where
from sgdlab.config.schema import DDP, SYNC, RunConfig
from sgdlab.datasets.base import Dataset
from sgdlab.diagnostics.base import Conclusion, Quantity, Subject
from sgdlab.diagnostics.recorder import Recorder
from sgdlab.diagnostics.section import Diagnostics, check_section
from sgdlab.errors import InputError
from sgdlab.optimizers.traits import Traits
from sgdlab.steps.batches import BatchPlan
from sgdlab.steps.objective import Objective


def diagnostics_of(
    config: RunConfig,
    objective: Objective,
    optimizer: Optimizer,
    traits: Traits,
    data: Dataset,
    plan: BatchPlan,
) -> Diagnostics:
    """Return what a run's section ``diagnostics`` comes to, looking at the model as it is now.

    Args:
        config: The resolved config of the run.
        objective: What the run minimises; its model has the initial weights.
        optimizer: The optimizer of the run.
        traits: What is known of the optimizer.
        data: The data, on the device of the model.
        plan: How an epoch is cut into updates.

    Raises:
        InputError: The section cannot be read, or asks for what this run does not have.
    """
    section = config.diagnostics
    check_section(section)
    trained = {id(p) for p in objective.parameters}
    named = [(name, p) for name, p in objective.model.named_parameters() if id(p) in trained]
    subject = Subject(
        model=objective.model,
        names=[name for name, _ in named],
        parameters=[p for _, p in named],
        loss=objective.loss,
        half=objective.half,
        optimizer=optimizer,
        traits=traits,
        data=data,
        effective_batch_size=plan.effective_batch_size,
        seed=config.seed,
    )
    quantities = _parts(section, "quantities", Quantity)
    simulated = config.staleness.delay or config.local_sgd.workers > 1
    together = config.distributed
    apart = together.algorithm != SYNC or together.strategy != DDP
    if quantities and (simulated or not config.zero_grad):
        raise InputError(
            f"{where(config, 'diagnostics')}: looks inside ordinary updates; with staleness, "
            "local_sgd or zero_grad=false take diagnostics=economy"
        )
    if (quantities or section["at_end"]) and apart:
        raise InputError(
            f"{where(config, 'diagnostics')}: looks at weights and gradients in one process, and "
            f"distributed.algorithm={together.algorithm} distributed.strategy={together.strategy} "
            "has none with all of them; take diagnostics=economy"
        )
    if (quantities or section["at_end"]) and not (objective.loss.uniform and data.in_memory):
        raise InputError(
            f"{where(config, 'diagnostics')}: looks at the loss of single examples, which here "
            "count differently, or have inputs by name; take diagnostics=economy"
        )
    recorder = Recorder(subject, objective, quantities, section["every"]) if quantities else None
    return Diagnostics(
        section["every"],
        section["scalars"],
        subject,
        recorder,
        _parts(section, "at_end", Conclusion),
    )


_Part = TypeVar("_Part")


def _parts(section: Mapping[str, Any], key: str, kind: type[_Part]) -> dict[str, _Part]:
    """Return what a key of the section names, by name; refuse what is of another kind."""
    found: dict[str, _Part] = {}
    for name, own in section[key].items():
        found[name] = call(own, f"diagnostics.{key}.{name}")
        if not isinstance(found[name], kind):
            what = f"{own['_target_']} is no {kind.__module__}.{kind.__name__}"
            raise InputError(f"diagnostics.{key}.{name}: {what}")
    return found
