"""Builds what a comparison would run, before it has left any file."""

from collections.abc import Iterator, Mapping, Sequence

from omegaconf import DictConfig

from sgdlab.comparison.contenders import SearchId, overrides_of
from sgdlab.errors import InputError
from sgdlab.results import TUNE
from sgdlab.search import Value
from sgdlab.sweep.jobs import QuickLoader
from sgdlab.sweep.preflight import Checks
from sgdlab.terminal.notices import warn
from sgdlab.training.build import dataset_of, extend_path

Jobs = Mapping[SearchId, Sequence[Sequence[str]]]


def check_jobs(master: DictConfig, loader: QuickLoader, tuning: Jobs, defaults: Jobs) -> None:
    """Refuse runs that cannot be built, and contenders that would be one and the same run.

    Besides the runs themselves the ends of every range and every choice are tried, since a search
    may ask for them later.

    Args:
        master: Of the comparison, with any name of a study.
        loader: Of its jobs.
        tuning: The first trials of each search.
        defaults: The runs of the track of defaults.

    Raises:
        InputError: Names the run, or the contenders.
    """
    checks, doubts = Checks(), dict[str, None]()
    for jobs in (tuning, defaults):
        seen: dict[str, SearchId] = {}
        for search_id, own in jobs.items():
            extremes = (
                _extremes(master, search_id) if jobs is tuning and not search_id.replicate else ()
            )
            for number, overrides in enumerate((*own, *extremes)):
                job = loader.job(master, overrides)
                found = checks.of(job.config)
                if search_id.replicate == 0 and number == 0:
                    doubts |= dict.fromkeys(f"{search_id.name}: {doubt}" for doubt in found)
                if number >= len(own):
                    continue
                other = seen.setdefault(job.run_id, search_id)
                if other.contender is not search_id.contender:
                    raise InputError(
                        f"{other.contender.name} and {search_id.contender.name} are the same run: "
                        "they differ in nothing but their names; compare one of them"
                    )
    for doubt in doubts:
        warn(doubt)


def _extremes(master: DictConfig, search_id: SearchId) -> Iterator[list[str]]:
    """Yield the jobs at the ends of every dimension, the others at the optimizer's own values."""
    for dimension in search_id.contender.space.dimensions:
        values: Sequence[Value] = dimension.choices
        if not values:
            values = (dimension.rounded(dimension.low), dimension.rounded(dimension.high))
        for value in values:
            yield overrides_of(search_id, {dimension.key: value}, "study", TUNE, master.seed)


def check_target(master: DictConfig, loader: QuickLoader, jobs: Jobs) -> None:
    """Refuse a target or a margin that the report could not use.

    Args:
        master: Of the comparison.
        loader: Of its jobs.
        jobs: Any runs of every place.

    Raises:
        InputError: What would be right.
    """
    # Tables take a second to import: what is refused before should not wait for them.
    from sgdlab.analysis.studies import margin_of
    from sgdlab.analysis.targets import checked_target
    from sgdlab.analysis.workloads import WorkloadRuns as Measured

    measured: list[Measured] = []
    for search_id, own in jobs.items():
        if search_id.replicate == 0 and own:
            config = loader.job(master, own[0]).config
            extend_path(config)
            data = dataset_of(config)
            name = search_id.workload.name.partition("/")
            maximise = data.metric_direction == "max"
            measured.append(Measured(name[0], name[2], data.metric, maximise, []))
    names = list(dict.fromkeys(search_id.contender.name for search_id in jobs))
    target, margin = master.target, master.margin
    if isinstance(target, bool) or not isinstance(target, int | float | str | None):
        raise InputError(f"target={target}: must be a number such as 0.95, a contender, or null")
    try:
        checked_target(target, measured, names)
        for workload in measured:
            margin_of(margin, (), workload.metric)
    except InputError as error:
        line = str(error).replace("--target ", "target=").replace("--margin ", "margin=")
        raise InputError(line) from error
