"""The tuning of a comparison by successive halving: refusals, the runs, and what they saved."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.types import HydraContext
from omegaconf import DictConfig

from sgdlab import signals
from sgdlab.errors import InputError
from sgdlab.results import TUNE, Cell
from sgdlab.search.halving import SETTINGS, halving_of, saved
from sgdlab.sweeps.carry_out import carry_out
from sgdlab.sweeps.jobs import WORKERS, Job, QuickLoader
from sgdlab.terminal.display import stdout
from sgdlab.terminal.notices import warn

_LAUNCHERS = (".BasicLauncher", ".StackedLauncher", ".WorkersLauncher")


def check_halving(composed: DictConfig, loader: QuickLoader, jobs: Sequence[Sequence[str]]) -> None:
    """Refuse a comparison whose trials cannot be thinned out as it asks, before any of its files.

    Args:
        composed: The config of the comparison.
        loader: Composes its jobs.
        jobs: The overrides of all trials.

    Raises:
        InputError: A setting is impossible, or something other than stacks would train the trials.
    """
    halving = halving_of(composed.search)
    typed = [o.lstrip("+~").partition("=")[0] for o in composed.hydra.overrides.task]
    if halving is None:
        for key in SETTINGS[1:]:
            if f"search.{key}" in typed:
                warn(f"search.{key} has no effect without search.halving=true")
        return
    if not composed.hydra.launcher._target_.endswith(_LAUNCHERS):
        name = composed.hydra.runtime.choices["hydra/launcher"]
        raise InputError(
            f"search.halving with hydra/launcher={name}: trials advance side by side only in "
            "stacks; leave the launcher out, or take joblib, ray, submitit_local or submitit_slurm"
        )
    if composed.select_by.startswith("average."):
        raise InputError(
            f"search.halving with select_by={composed.select_by}: an average may begin after the "
            "first rung; rank the raw weights, select_by=final_val_loss"
        )
    # Slow to import, and few comparisons need it.
    from sgdlab.stacked.halving import plan

    trials = [loader.job(composed, overrides) for overrides in jobs]
    planned = plan(trials, halving, composed.select_by)
    rungs, left = (" and ".join(map(str, n)) for n in (planned.rungs, planned.survivors))
    warn(
        f"successive halving: after {rungs} of {planned.epochs} epochs, {left} of "
        f"{planned.trials} trials of each search go on"
    )
    warmup = max(_warmup_epochs(job) for job in trials)
    if planned.rungs[0] <= warmup:
        warn(
            f"search.halving ranks first after epoch {planned.rungs[0]}, in a warm-up of "
            f"{warmup:g}: raise search.min_epochs or lower schedule.warmup_epochs"
        )


def _warmup_epochs(job: Job) -> float:
    return job.config.schedule.get("warmup_epochs") or 0


def tune_by_halving(
    master: DictConfig, context: HydraContext, prepared: Sequence[Job], folder: Path
) -> list[dict[str, Cell]]:
    """Train the trials of a comparison from rung to rung; return the summaries.

    Args:
        master: The config of the comparison, with ``search.halving``.
        context: What Hydra hands to launchers; its loader composes the trials.
        prepared: All trials.
        folder: The folder of the comparison.
    """
    from sgdlab.stacked.halving import plan, train

    halving = halving_of(master.search)
    assert halving is not None

    def start(todo: Sequence[Job]) -> list[str | None]:
        planned = plan(prepared, halving, master.select_by)
        if master.hydra.launcher._target_ == WORKERS:
            from sgdlab.comparison.halving_chunk import train_on_workers

            with signals.at_a_step_of_children():
                return train_on_workers(planned, todo, master, context)
        train(planned, todo)
        return [None] * len(todo)

    rows = carry_out(prepared, folder, TUNE, start)
    trials: dict[str, list[tuple[dict[str, Cell], dict[str, Any]]]] = {}
    for row, job in zip(rows, prepared, strict=True):
        trials.setdefault(str(job.config.contender), []).append((row, job.config.plain()))
    for name, own in trials.items():
        stdout().print(saved(own).sentence(name), highlight=False)
    return rows
