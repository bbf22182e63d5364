"""The track ``one``: a single setting of each contender for all workloads, chosen jointly."""

import math
from collections.abc import Mapping, Sequence

from omegaconf import DictConfig
from scipy.stats import rankdata

from sgdlab.comparison.contenders import Contender, SearchId
from sgdlab.comparison.protocol import candidates_of
from sgdlab.comparison.winners import Trial
from sgdlab.comparison.workloads import Workload
from sgdlab.errors import InputError
from sgdlab.results import ONE
from sgdlab.search.halving import halving_of
from sgdlab.terminal.display import stdout
from sgdlab.terminal.notices import warn

METHODS = ("sobol", "random", "grid")
"""Searches whose trials do not depend on results, so that all workloads try the same settings."""


def check_one(
    master: DictConfig, workloads: Sequence[Workload], contenders: Sequence[Contender]
) -> None:
    """Refuse the track where no setting is tried on all workloads.

    Raises:
        InputError: There is one workload, no search, or searches differ between workloads.
    """
    if ONE not in master.tracks:
        return
    if "tuned" not in master.tracks:
        raise InputError(f"tracks={list(master.tracks)}: one chooses among the trials of tuned")
    if len(workloads) < 2:
        raise InputError("tracks: one is one setting for several workloads; name workloads=[…]")
    search = master.search
    for wrong, what in (
        (search.method not in METHODS, f"search.method={search.method}"),
        (bool(search.recentre), "search.recentre=true"),
        (halving_of(search) is not None, "search.halving"),
        (master.seconds is not None, f"seconds={master.seconds}"),
        (bool(candidates_of(master)), "scaling.candidates"),
    ):
        if wrong:
            raise InputError(
                f"tracks=[one] with {what}: all workloads must try the same settings; use "
                f"search.method={METHODS[0]} and trials=N, without the other"
            )
    for contender in contenders:
        if contender.own_spaces:
            raise InputError(
                f"tracks=[one]: {contender.name} has a search space of its own on "
                f"{next(iter(contender.own_spaces))}; one setting needs one space"
            )


def joint_choice(
    tried: Mapping[SearchId, Sequence[Trial]], select_by: str
) -> dict[SearchId, Trial]:
    """Return, for every search, the trial that is best over all workloads of its replicate.

    On each workload trials are ranked by ``select_by``, ties by their mean rank; one without a
    result ranks last, and is taken only where every trial lacks one somewhere. The trial with the
    least mean rank wins, of equal ones the first.

    Args:
        tried: The trials of each search; those of the same number have the same settings.
        select_by: The column of the summary that decides, of the validation split.
    """
    groups: dict[tuple[Contender, int], list[SearchId]] = {}
    for search_id in tried:
        groups.setdefault((search_id.contender, search_id.replicate), []).append(search_id)
    chosen: dict[SearchId, Trial] = {}
    for (contender, replicate), own in groups.items():
        numbers = range(min(len(tried[search_id]) for search_id in own))
        lost = [sum(not tried[s][n].is_complete for s in own) for n in numbers]
        values = [[tried[s][n].objective(select_by) for n in numbers] for s in own]
        ranks = [rankdata([v if math.isfinite(v) else math.inf for v in row]) for row in values]
        best = min(numbers, key=lambda n: (lost[n], sum(float(row[n]) for row in ranks), n))
        if lost[best] == len(own):
            warn(f"one setting of {contender.name}: no trial of search {replicate} completed")
            continue
        mean = sum(float(row[best]) for row in ranks) / len(own)
        settings = " ".join(f"{k}={v}" for k, v in tried[own[0]][best].settings.items())
        stdout().print(
            f"{contender.name}: one setting for {len(own)} workloads, trial {best} of "
            f"{len(numbers)}, mean rank {mean:.3g} by {select_by}: {settings}",
            highlight=False,
        )
        chosen |= {search_id: tried[search_id][best] for search_id in own}
    return chosen
