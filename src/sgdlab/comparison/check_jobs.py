"""Refuses a comparison that cannot be run as asked, before it has left any file."""

from collections.abc import Iterator, Mapping, Sequence

from omegaconf import DictConfig

from sgdlab.checks import is_number, lies_in, require_flag, require_one_of, require_whole
from sgdlab.comparison.contenders import SearchId, overrides_of
from sgdlab.comparison.looks import AUTO, most_replicates
from sgdlab.comparison.protocol import candidates_of
from sgdlab.comparison.workloads import chosen
from sgdlab.errors import InputError, suggest
from sgdlab.results import DEFAULTS, ONE, TUNE
from sgdlab.search import METHODS, Value
from sgdlab.search.halving import halving_of
from sgdlab.sweeps.jobs import QuickLoader
from sgdlab.sweeps.preflight import Checks
from sgdlab.sweeps.remarks import UncomparableNote
from sgdlab.terminal.notices import warn

Jobs = Mapping[SearchId, Sequence[Sequence[str]]]
"""The overrides of some runs of each search."""

SELECT_BY = (
    "final_val_loss", "best_val_loss", "final_val_metric", "best_val_metric",
    "average.final_val_loss", "average.final_val_metric",
)  # fmt: skip
TRACKS = ("tuned", DEFAULTS, ONE)

MOST_RUNS = 100_000

# What a comparison decides for its runs, so that setting it on the command line has no effect.
_DECIDED = (
    "optimizer", "lr", "optimizer.lr", "evaluate_test", "phase", "trial", "replicate", "contender",
)  # fmt: skip


_INSTEAD = {
    "optimizer": "optimizers=[…]", "lr": "search.NAME.lr.low and .high",
    "replicate": "replicates=N", "contender": "search.scientific",
}  # fmt: skip


def check_settings(composed: DictConfig) -> None:
    """Refuse impossible values of the keys that only comparisons have.

    Raises:
        InputError: A value is impossible; the line names it and what would be right.
    """
    _decided(composed)
    _selection(composed)
    for key in ("trials", "seeds"):
        require_whole(key, composed[key])
    replicates = most_replicates(composed)
    runs = composed.trials * replicates * max(1, len(composed.optimizers))
    if runs > MOST_RUNS:
        key = "max_replicates" if composed.replicates == AUTO else "replicates"
        raise InputError(
            f"trials={composed.trials}, {key}={replicates}: {runs:,} trials in all; "
            f"at most {MOST_RUNS:,}"
        )
    tracks = [str(track) for track in composed.tracks]
    for track in tracks:
        if track not in TRACKS:
            raise InputError(f"tracks={tracks}: {suggest(track, TRACKS)}")
    if not tracks or len(set(tracks)) < len(tracks):
        raise InputError(f"tracks={tracks}: name some of tuned, defaults, one")
    margin = composed.margin
    if margin is not None and margin != "auto" and not (is_number(margin) and margin > 0):
        raise InputError(f"margin={margin}: must be a positive number, auto, or null")
    _search(composed)


def _decided(composed: DictConfig) -> None:
    for override in composed.hydra.overrides.task:
        key = override.partition("=")[0].lstrip("+~")
        if key in _DECIDED:
            instead = _INSTEAD.get(key.rpartition(".")[2], "sgdlab train")
            raise InputError(f"{override}: a comparison decides {key} by itself; use {instead}")


def _selection(composed: DictConfig) -> None:
    require_one_of("select_by", composed.select_by, SELECT_BY)
    average = chosen(composed, "average")
    if composed.select_by.startswith("average.") and average == "none":
        raise InputError(f"select_by={composed.select_by}: no average is kept; average=ema")
    if average != "none":
        warn(
            f"average={average}: tables and tests compare the raw weights; those of the average "
            "stand in the columns average.* of runs.csv"
        )


def _search(composed: DictConfig) -> None:
    search, seconds = composed.search, composed.seconds
    method, recentre = search.method, search.recentre
    require_one_of("search.method", method, METHODS)
    require_whole("search.batch", search.batch)
    require_flag("search.recentre", recentre)
    halving = halving_of(search)
    if halving is not None and (method == "tpe" or recentre):
        setting = "search.method=tpe" if method == "tpe" else "search.recentre=true"
        raise InputError(
            f"search.halving with {setting}: halving races all trials of a search at once; "
            "leave one of the two out"
        )
    if seconds is None:
        return
    if not lies_in(seconds, 0, open_low=True, open_high=True):
        raise InputError(f"seconds={seconds}: must be positive, or null to count trials")
    for wrong, setting in (
        (halving is not None, "search.halving"),
        (method == "grid", "search.method=grid"),
        (bool(candidates_of(composed)), "scaling.candidates"),
    ):
        if wrong:
            raise InputError(f"seconds={seconds:g} with {setting}: it needs a number of trials")


def check_jobs(
    master: DictConfig, loader: QuickLoader, checks: Checks, tuning: Jobs, defaults: Jobs
) -> None:
    """Refuse runs that cannot be built, and contenders that would be one and the same run.

    Besides the runs themselves the ends of every range and every choice are tried, since a search
    may ask for them later.

    Args:
        master: The config of the comparison.
        loader: Composes its jobs.
        checks: Builds them.
        tuning: The first trials of each search.
        defaults: The runs of the track of defaults.

    Raises:
        InputError: A run cannot be built, would end within its warm-up, or two contenders are the
            same run.
    """
    warnings: dict[str, None] = {}
    for jobs in (tuning, defaults):
        seen: dict[str, SearchId] = {}
        for search_id, own in jobs.items():
            extremes = (
                _extremes(master, search_id) if jobs is tuning and not search_id.replicate else ()
            )
            for number, overrides in enumerate((*own, *extremes)):
                job = loader.job(master, overrides)
                found = checks.of(job.config)
                for line in found:
                    if isinstance(line, UncomparableNote):
                        raise InputError(f"{search_id.name}: {line}")
                if search_id.replicate == 0 and number == 0:
                    warnings |= dict.fromkeys(f"{search_id.name}: {line}" for line in found)
                if number >= len(own):
                    continue
                other = seen.setdefault(job.run_id, search_id)
                if other.contender is not search_id.contender:
                    raise InputError(
                        f"{other.contender.name} and {search_id.contender.name} are the same run: "
                        "they differ in nothing but their names; compare one of them"
                    )
    for line in warnings:
        warn(line)


def _extremes(master: DictConfig, search_id: SearchId) -> Iterator[list[str]]:
    """Yield the jobs at the ends of every dimension, the others at the optimizer's own values."""
    for dimension in search_id.space.dimensions:
        values: Sequence[Value] = dimension.choices
        if not values:
            values = (dimension.rounded(dimension.low), dimension.rounded(dimension.high))
        for value in values:
            yield overrides_of(search_id, {dimension.key: value}, "study", TUNE, master.seed)
