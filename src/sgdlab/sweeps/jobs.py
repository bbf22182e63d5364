"""Many runs: composed quickly, checked before the first starts, launched, collected."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

from sgdlab import signals
from sgdlab.config.compose.loader import QuickLoader
from sgdlab.config.compose.of_job import explained, typed
from sgdlab.config.job import Job
from sgdlab.errors import InputError
from sgdlab.results import Cell
from sgdlab.results.lock import HeldError
from sgdlab.scaling import checked_candidates
from sgdlab.sweeps.carry_out import ELSEWHERE, carry_out
from sgdlab.sweeps.packing import is_packed, pack_ended, portions
from sgdlab.sweeps.preflight import Checks
from sgdlab.terminal.notices import warn

__all__ = [
    "Job",
    "QuickLoader",
    "expand",
    "launch",
    "prepare",
    "refuse_shared_folders",
]


def prepare(
    master: DictConfig,
    loader: QuickLoader,
    jobs: Sequence[Sequence[str]],
    checks: Checks | None = None,
) -> list[Job]:
    """Compose and check every job before the first one runs.

    Args:
        master: The config that the jobs are made from.
        loader: Composes them.
        jobs: The overrides of each.
        checks: Knows what was built before; by default nothing was.

    Raises:
        InputError: A job cannot be built, or two jobs are the same run or have one folder.
    """
    seen: dict[str, Job] = {}
    warnings: dict[str, None] = {}
    checks = checks or Checks()
    for overrides in jobs:
        job = loader.job(master, overrides)
        warnings |= dict.fromkeys(checks.of(job.config))
        if (same := seen.get(job.run_id)) is not None:
            raise InputError(
                "the sweep lists the same run twice: "
                f"{typed(job.overrides)} equals {typed(same.overrides)}"
            )
        seen[job.run_id] = job
    refuse_shared_folders(list(seen.values()))
    for line in warnings:
        warn(line)
    return list(seen.values())


def refuse_shared_folders(jobs: Sequence[Job]) -> None:
    """Refuse two runs in one folder, where they would mix their rows.

    Raises:
        InputError: Names the folder.
    """
    holds: dict[Path, str] = {}
    for job in jobs:
        if job.directory.is_symlink():
            raise InputError(f"{job.directory}: a link, through which no sweep writes; move it")
        if holds.setdefault(job.directory, job.run_id) != job.run_id:
            raise InputError(
                f"{job.directory}: two runs of the sweep would write there; "
                "leave hydra.sweep.subdir, or put ${run_id:} into it"
            )


def expand(
    master: DictConfig, loader: QuickLoader, jobs: Sequence[Sequence[str]]
) -> list[list[str]]:
    """Return the jobs, each one with ``scaling.candidates`` made one per candidate.

    Such a job lists no candidates and names its own, ``scaling.candidate``, so that it is the same
    run wherever it was expanded, and whatever the other candidates are.

    Raises:
        InputError: A job cannot be composed, or its candidates are no positive numbers.
    """
    expanded: list[list[str]] = []
    for job in jobs:
        with explained(master, job):
            candidates = loader.value_of("scaling.candidates", master, job)
        factors = checked_candidates(candidates) if candidates else []
        rest = [o for o in job if not (factors and o.startswith("scaling.candidates="))]
        expanded += [
            [*rest, "scaling.candidates=[]", f"scaling.candidate={factor}"] for factor in factors
        ] or [rest]
    return expanded


def launch(
    master: DictConfig,
    context: HydraContext,
    loader: QuickLoader,
    task: TaskFunction,
    jobs: Sequence[Job],
    study: Path,
    title: str,
) -> list[dict[str, Cell]]:
    """Run the jobs that are not finished on the configured launcher; see `carry_out`.

    Where there are very many, they are packed as they end; see `sgdlab.sweeps.packing`.
    """
    packs = is_packed(master, len(jobs))
    if packs:
        pack_ended(study)  # what an earlier process has left

    def start(todo: Sequence[Job]) -> list[str | None]:
        loader.listed = jobs
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=HydraContext(config_loader=loader, callbacks=context.callbacks),
            task_function=task,
            config=_with_launcher(master),
        )
        here = type(launcher).__name__ in ("BasicLauncher", "StackedLauncher")
        values: list[object] = []
        with contextlib.nullcontext() if here else signals.at_a_step_of_children():
            for portion in portions(todo) if packs else [todo]:
                overrides = [job.overrides for job in portion]
                returns = launcher.launch(overrides, initial_job_idx=len(values))
                values += [returned._return_value for returned in returns]
                if packs:
                    pack_ended(study)
        return [said(value) for value in values]

    return carry_out(jobs, study, title, start)


def said(returned: object) -> str | None:
    """Return what `carry_out` is told of a run, by the value that its launcher returned."""
    if isinstance(returned, HeldError):
        return ELSEWHERE
    return str(returned) if isinstance(returned, BaseException) else None


_STACKED = "hydra_plugins.sgdlab_stacked.StackedLauncher"
WORKERS = "hydra_plugins.sgdlab_workers.WorkersLauncher"


def _with_launcher(master: DictConfig) -> DictConfig:
    """Return the config with the launcher that ``engine`` asks for, unless one was chosen.

    ``engine=auto`` stacks in comparisons; a sweep takes the launcher that it names.
    """
    target = str(master.hydra.launcher._target_)
    chosen = not target.endswith(".BasicLauncher")
    if master.engine == "stacked" and chosen and target not in (_STACKED, WORKERS):
        raise InputError(
            f"engine=stacked: {target.rpartition('.')[2]} trains runs one by one; "
            "leave hydra/launcher, or set engine=auto"
        )
    stacks = master.engine == "stacked" or (master.engine == "auto" and "optimizers" in master)
    if chosen or not stacks:
        return master
    config = master.copy()
    with read_write(config), read_write(config.hydra), open_dict(config.hydra):
        config.hydra.launcher = {"_target_": _STACKED}
    return config
