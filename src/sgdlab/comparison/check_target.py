"""Refuses a target or a margin that the report of a comparison could not use."""

from collections.abc import Mapping
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from sgdlab.checks import is_number
from sgdlab.comparison.check_jobs import Jobs
from sgdlab.errors import InputError, suggest
from sgdlab.sweeps.jobs import QuickLoader
from sgdlab.training.build import extend_path
from sgdlab.training.build_loss import metric_of
from sgdlab.training.dataset import dataset_of


def check_target(master: DictConfig, loader: QuickLoader, jobs: Jobs) -> Any:
    """Refuse a target or a margin that the report could not use; return the target.

    ``study:PATH`` comes back as the number of each workload: what the best contender there reached.

    Args:
        master: The config of the comparison.
        loader: Composes its jobs.
        jobs: Any runs of every search.

    Raises:
        InputError: One of the two cannot be used; says what would be right.
    """
    # Tables take a second to import: what is refused before should not wait for them.
    from sgdlab.analysis.outside_target import is_outside, outside_targets
    from sgdlab.analysis.studies import margin_of
    from sgdlab.analysis.targets import checked_target
    from sgdlab.analysis.workloads import WorkloadRuns as Measured

    measured: list[Measured] = []
    epochs: dict[str, float] = {}
    for search_id, own in jobs.items():
        if search_id.replicate == 0 and own:
            config = loader.job(master, own[0]).config
            extend_path(config)
            metric = metric_of(config, dataset_of(config))
            workload = search_id.workload
            name = workload.name.partition("/")
            maximise = metric.direction == "max"
            measured.append(Measured(name[0], name[2], metric.name, maximise, []))
            epochs[workload.name] = max(epochs.get(workload.name, 0.0), config.epochs)
    names = list(dict.fromkeys(search_id.contender.name for search_id in jobs))
    given, margin = master.target, master.margin
    target: Any = OmegaConf.to_container(given) if OmegaConf.is_config(given) else given
    if isinstance(target, bool) or not isinstance(target, int | float | str | Mapping | None):
        raise InputError(
            f"target={target}: must be a number such as 0.95, a contender, study:PATH, or null"
        )
    try:
        if is_outside(target):
            target = outside_targets(str(target), epochs)
        for workload in measured:
            own = _of_each(target, list(epochs)).get(workload.name)
            one: Any = target if own is None else own
            checked_target(one, [workload], names)
            margin_of(margin, (), workload.metric)
    except InputError as error:
        line = str(error).replace("--target ", "target=").replace("--margin ", "margin=")
        raise InputError(line) from error
    return target


def _of_each(target: Any, workloads: list[str]) -> dict[str, float]:
    """Return the targets by workload; empty where it is one for all."""
    if not isinstance(target, Mapping):
        return {}
    own = cast("Mapping[Any, Any]", target)
    for name, value in own.items():
        if name not in workloads:
            raise InputError(f"target: no workload {name}; {suggest(str(name), workloads)}")
        if not is_number(value):
            raise InputError(f"target.{name}={value}: must be a number, such as 0.95")
    if missing := [name for name in workloads if name not in own]:
        raise InputError(f"target={dict(own)}: has none for {', '.join(missing)}")
    return {str(name): float(value) for name, value in own.items()}
