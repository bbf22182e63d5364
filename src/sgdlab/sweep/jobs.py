"""Many runs: composed quickly, checked before the first starts, launched, collected."""

from collections.abc import Callable, Sequence
from pathlib import Path

from hydra.core.plugins import Plugins
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict, read_write

from sgdlab.config.compose.loader import QuickLoader, explained, typed
from sgdlab.config.job import Job
from sgdlab.errors import InputError
from sgdlab.results import FAILED, Cell, collect, read_summary, write_runs
from sgdlab.scaling import checked_candidates
from sgdlab.sweep.preflight import Checks
from sgdlab.terminal.notices import warn
from sgdlab.terminal.progress import SweepDisplay
from sgdlab.training.folder import finished

__all__ = ["Job", "QuickLoader", "carry_out", "expand", "launch", "prepare"]


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
        InputError: A job cannot be built, or two jobs are the same run.
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
    for line in warnings:
        warn(line)
    return list(seen.values())


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
    """Run the jobs that are not finished on the configured launcher; see `carry_out`."""

    def start(todo: Sequence[Job]) -> list[str | None]:
        loader.listed = jobs
        launcher = Plugins.instance().instantiate_launcher(
            hydra_context=HydraContext(config_loader=loader, callbacks=context.callbacks),
            task_function=task,
            config=_with_launcher(master),
        )
        returns = launcher.launch([job.overrides for job in todo], initial_job_idx=0)
        values = [returned._return_value for returned in returns]
        return [str(value) if isinstance(value, BaseException) else None for value in values]

    return carry_out(jobs, study, title, start)


def carry_out(
    jobs: Sequence[Job],
    study: Path,
    title: str,
    start: Callable[[Sequence[Job]], Sequence[str | None]],
) -> list[dict[str, Cell]]:
    """Run the jobs that are not finished; return all summaries.

    A failed run does not stop the others; ``runs.csv`` of the study is written even when the
    sweep is interrupted.

    Args:
        jobs: All jobs of the sweep.
        study: The folder of the study.
        title: The word before the progress bar.
        start: Runs some jobs and returns what went wrong with each; None where nothing did.
    """
    todo = [job for job in jobs if finished(job.directory, job.run_id, job.config.resume) is None]
    if len(todo) < len(jobs):
        done = f"{len(jobs) - len(todo)} of {len(jobs)} runs are finished"
        warn(f"{title}: {done}; resume=false repeats them")
    errors: dict[Path, str | None] = {}
    try:
        if todo:
            with SweepDisplay(title, [job.directory for job in todo], len(jobs) - len(todo)):
                said = start(todo)
            errors = {job.directory: error for job, error in zip(todo, said, strict=True)}
    finally:
        table, _ = collect([study])
        if len(table):
            write_runs(study / "runs.csv", table)
    return [_row(job, errors.get(job.directory)) for job in jobs]


_STACKED = "hydra_plugins.sgdlab_stacked.StackedLauncher"


def _with_launcher(master: DictConfig) -> DictConfig:
    """Return the config with the launcher that ``engine`` asks for, unless one was chosen.

    ``engine=auto`` stacks in comparisons; a sweep takes the launcher that it names.
    """
    target = str(master.hydra.launcher._target_)
    chosen = not target.endswith(".BasicLauncher")
    if master.engine == "stacked" and chosen and target != _STACKED:
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


def _row(job: Job, error: str | None) -> dict[str, Cell]:
    try:
        summary = read_summary(job.directory)
    except InputError as damage:
        summary, error = None, str(damage)
    if summary is not None and error is None:
        return summary
    reason = error or "the launcher returned without a summary"
    return {**job.config.names, "run_id": job.run_id, "status": FAILED, "reason": reason}
