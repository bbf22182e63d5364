"""Successive halving: the trials of a comparison advance side by side from rung to rung."""

import functools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sgdlab import signals
from sgdlab.config.job import Job
from sgdlab.errors import InputError
from sgdlab.results import (
    DIVERGED,
    FAILED,
    Columns,
    read_every_evals,
    read_summary,
)  # fmt: skip
from sgdlab.search.halving import Halving, order, ordinal
from sgdlab.search.objective import objective_value
from sgdlab.stacked import cost, proof
from sgdlab.stacked.compiled.compiler import Compiler, compilers_of
from sgdlab.stacked.group import Group, StackPlanner
from sgdlab.stacked.launch import side_by_side, split, torch_state
from sgdlab.stacked.memory import budget, bytes_per_run, keep_freed_memory
from sgdlab.stacked.runner import StackRunner
from sgdlab.training.surroundings import restored


@dataclass(frozen=True)
class HalvingPlan:
    """How the trials of a comparison are thinned out.

    Attributes:
        halving: The settings.
        select_by: The column of the summary that chooses the winner.
        planner: Builds the trials.
        groups: All trials, those that are finished, too.
        rungs: The epochs after which trials are ranked.
        epochs: The epochs of a trial that is not stopped.
        trials: The number of trials of each search.
    """

    halving: Halving
    select_by: str
    planner: StackPlanner
    groups: list[Group]
    rungs: tuple[int, ...]
    epochs: int
    trials: int

    @property
    def survivors(self) -> list[int]:
        """How many trials of each search go on at each rung."""
        return [self.halving.places(self.trials, k + 1) for k in range(len(self.rungs))]


def plan(jobs: Sequence[Job], halving: Halving, select_by: str, most: int = 0) -> HalvingPlan:
    """Return how trials are thinned out.

    Args:
        jobs: All trials of all searches, those that are finished, too.
        halving: The settings.
        select_by: What chooses the winner, and ranks at the rungs: a column of the summary.
        most: The trials of the largest search, where these are not all searches.

    Raises:
        InputError: The trials cannot all be in stacks at once, or there is no rung.
    """
    if any(job.config.engine == "sequential" for job in jobs):
        raise InputError(
            "search.halving with engine=sequential: trials advance side by side only in stacks; "
            "set engine=stacked or leave it out"
        )
    if any(job.config.stop.patience is not None for job in jobs):
        raise InputError(
            "search.halving with stop.patience: both stop trials, and a rung ranks those that are "
            "alive; leave one of them out"
        )
    planner = StackPlanner()
    groups, others = planner.of(jobs)
    for group in groups:
        if (reason := proof.refusal(planner, group)) is not None:
            others.setdefault(reason, []).extend(group.jobs)
    for reason, own in others.items():
        names = ", ".join(dict.fromkeys(job.config.names["optimizer"] for job in own))
        raise InputError(
            f"search.halving needs trials that can be stacked, and {len(own)} of {len(jobs)} "
            f"({names}) cannot: {reason}"
        )
    trials = max(most, *Counter(map(search_of, jobs)).values())
    found = {_rungs(group, halving, trials) for group in groups}
    if len(found) > 1:
        raise InputError(
            "search.halving: the rungs of the trials differ; epochs, eval.every and, under "
            "max_steps, batch_size and accumulate must be the same for all"
        )
    ((rungs, epochs),) = found
    if not rungs:
        raise InputError(
            f"search.halving: no rung for {trials} trials of {epochs} epochs with "
            f"reduction_factor={halving.reduction_factor}, min_epochs={halving.min_epochs} and "
            f"eval.every={groups[0].config.eval.every}: more trials or epochs, or less of "
            "the others"
        )
    _refuse_too_large(groups)
    return HalvingPlan(halving, select_by, planner, groups, rungs, epochs, trials)


def search_of(job: Job) -> tuple[Any, ...]:
    """Return what trials that race each other have in common."""
    config = job.config
    names = (config.names.get("dataset"), config.names.get("model"), config.names["optimizer"])
    return (*names, config.contender, config.replicate)


def _rungs(group: Group, halving: Halving, trials: int) -> tuple[tuple[int, ...], int]:
    """Return the epochs after which trials are ranked, and the epochs of a trial."""
    total, per_epoch = group.total_steps, group.plan.steps_per_epoch
    rungs = halving.rungs(trials, total, per_epoch, group.config.eval.every)
    return rungs, -(-total // per_epoch)


def _refuse_too_large(groups: Sequence[Group]) -> None:
    """Refuse trials that do not fit into memory together: none can wait elsewhere for its rung."""
    asked = groups[0].config.stacked.max_memory
    most = budget(asked, groups[0].data.train.x.device)
    needed = sum(bytes_per_run(group) * max(2, len(group.jobs)) for group in groups)
    if needed > most:
        limit = "half of what is free" if asked is None else f"stacked.max_memory={asked}"
        raise InputError(
            f"search.halving keeps all trials in memory, about {needed / 2**30:.3g}G, and {limit} "
            f"is {most / 2**30:.3g}G: fewer trials, or a higher stacked.max_memory"
        )


def train(plan: HalvingPlan, todo: Sequence[Job]) -> None:
    """Train trials, and stop the losers at every rung; all their files are written.

    Trials that are not in ``todo`` are finished. They are ranked with the others, by the rows of
    their files, as the others are: an interrupted comparison stops the same trials.
    """
    keep_freed_memory()
    with restored(), signals.at_a_step(), compilers_of(plan.groups) as compilers:
        _train(plan, todo, compilers)


def _train(plan: HalvingPlan, todo: Sequence[Job], compilers: Sequence[Compiler | None]) -> None:
    wanted = {job.run_id for job in todo}
    runners: list[StackRunner] = []
    for group, compiler in zip(plan.groups, compilers, strict=True):
        own = [job for job in group.jobs if job.run_id in wanted]
        batches = split(group, own, cost.side_by_side(group), compiler) if own else []
        runners += [StackRunner(plan.planner, group, batch, compiler) for batch in batches]
    racing: dict[tuple[Any, ...], list[tuple[Job, Group]]] = {}
    for group in plan.groups:
        for job in group.jobs:
            racing.setdefault(search_of(job), []).append((job, group))
    for rung, survivors in zip(plan.rungs, plan.survivors, strict=True):
        _advance(runners, rung)
        reasons: dict[str, str] = {}
        for search, trials in racing.items():
            ranked = _ranked(trials, rung, plan.select_by)
            racing[search] = [trial for trial, alive in ranked[:survivors] if alive]
            for place, ((job, group), _) in enumerate(ranked[survivors:], start=survivors + 1):
                reasons[job.run_id] = (
                    f"search.halving: {ordinal(place)} of {len(ranked)} by "
                    f"{_in_words(plan.select_by, group)} after {rung} of {plan.epochs} epochs"
                )
        for runner in runners:
            with torch_state(runner.group):
                runner.stop(reasons)
    _advance(runners, None)


def _advance(runners: Sequence[StackRunner], epoch: int | None) -> None:
    """Train to the end of an epoch; None: to the last step."""

    def task(runner: StackRunner) -> None:
        group = runner.group
        until = group.total_steps if epoch is None else epoch * group.plan.steps_per_epoch
        runner.advance(until)
        runner.flush()

    tasks = [functools.partial(task, runner) for runner in runners]
    at_once = min((cost.side_by_side(runner.group) for runner in runners), default=1)
    if at_once > 1:  # on one thread each
        with torch_state(runners[0].group):
            side_by_side(tasks, at_once)
        return
    for runner, advance in zip(runners, tasks, strict=True):
        with torch_state(runner.group):
            advance()


def _ranked(
    trials: Sequence[tuple[Job, Group]], rung: int, select_by: str
) -> list[tuple[tuple[Job, Group], bool]]:
    """Return the trials of an optimizer, best first, and whether each is alive at a rung."""
    values = [standing(job, group, rung, select_by) for job, group in trials]
    numbers = [job.config.trial or 0 for job, _ in trials]
    alive = [value is not None for value in values]
    # The dead come after those that only have no finite value.
    ranks = order([math.inf if v is None else v for v in values], numbers)
    ranks.sort(key=lambda index: not alive[index])
    return [(trials[index], alive[index]) for index in ranks]


def standing(job: Job, group: Group, rung: int, select_by: str) -> float | None:
    """Return the objective of a trial at a rung, from its files; None where it is not alive.

    Args:
        job: The trial.
        group: The group that it belongs to.
        rung: The number of epochs.
        select_by: What chooses the winner: a column of the summary.

    Raises:
        InputError: A file is damaged.
    """
    step = rung * group.plan.steps_per_epoch
    summary = read_summary(job.directory)
    if summary is not None and summary["status"] in (DIVERGED, FAILED):
        ended = summary["steps"]
        if not isinstance(ended, int) or ended <= step:
            return None
    ((_, table),) = read_every_evals([str(job.directory)], [True])
    if isinstance(table, InputError):
        raise table
    return _objective_at(table, step, select_by, group.metric.name, group.metric.direction)


def _objective_at(table: Columns, step: int, select_by: str, metric: str, direction: str) -> float:
    """Return what chooses the winner as it stands at a step; less is better, ``inf`` the worst."""
    rows = (table["split"] == "val") & (table["weights"] == "raw") & (table["step"] <= step)
    rows &= np.isfinite(table["loss"].astype(float))  # what is not finite is never the best
    if select_by.startswith("final"):
        rows &= table["step"] == step
    values = table[metric if select_by.endswith("metric") else "loss"][rows].astype(float).tolist()
    return min((objective_value(value, select_by, direction) for value in values), default=math.inf)


def _in_words(select_by: str, group: Group) -> str:
    what = group.metric.name if select_by.endswith("metric") else "loss"
    return f"{'best ' if select_by.startswith('best') else ''}validation {what}"
