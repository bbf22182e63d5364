"""From the section ``diagnostics`` to what looks at the steps of a run."""

from torch.optim import Optimizer

from sgdlab.config.instantiate import call, where
from sgdlab.config.schema import RunConfig
from sgdlab.datasets.base import Dataset
from sgdlab.diagnostics.base import Conclusion, Quantity, Subject
from sgdlab.diagnostics.recorder import Recorder
from sgdlab.diagnostics.section import Diagnostics, check_section
from sgdlab.errors import InputError
from sgdlab.steps.batches import BatchPlan
from sgdlab.steps.objective import Objective


def diagnostics_of(
    config: RunConfig, objective: Objective, optimizer: Optimizer, data: Dataset, plan: BatchPlan
) -> Diagnostics:
    """Return what a run's section ``diagnostics`` comes to, looking at the model as it is now.

    Args:
        config: The resolved config of the run.
        objective: Of the run; its model has the initial weights.
        optimizer: Of the run.
        data: On the device of the model.
        plan: Gives the examples of an update.

    Raises:
        InputError: The section is no such, or what it asks for is not defined for this run.
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
        bf16=objective.bf16,
        optimizer=optimizer,
        data=data,
        effective_batch_size=plan.effective_batch_size,
        seed=config.seed,
    )
    quantities: dict[str, Quantity] = {}
    for name, own in section["quantities"].items():
        place = f"diagnostics.quantities.{name}"
        quantities[name] = call(own, place)
        if not isinstance(quantities[name], Quantity):
            raise InputError(f"{place}: {own['_target_']} is no sgdlab.diagnostics.base.Quantity")
    at_end: dict[str, Conclusion] = {}
    for name, own in section["at_end"].items():
        place = f"diagnostics.at_end.{name}"
        at_end[name] = call(own, place)
        if not isinstance(at_end[name], Conclusion):
            raise InputError(f"{place}: {own['_target_']} is no sgdlab.diagnostics.base.Conclusion")
    simulated = config.staleness.delay or config.local_sgd.workers > 1
    if quantities and (simulated or not config.zero_grad):
        raise InputError(
            f"{where(config, 'diagnostics')}: looks inside ordinary updates; with staleness, "
            "local_sgd or zero_grad=false take diagnostics=economy"
        )
    recorder = Recorder(subject, objective, quantities, section["every"]) if quantities else None
    return Diagnostics(section["every"], section["scalars"], subject, recorder, at_end)
