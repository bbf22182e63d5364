"""Turns a budget in seconds into trials: what a run of each contender takes, measured alone."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from omegaconf import DictConfig

from sgdlab.comparison.contenders import SearchId, Seeds, overrides_of
from sgdlab.comparison.solo import SoloProcess
from sgdlab.comparison.timing import REPEATS, time_alone
from sgdlab.errors import InputError
from sgdlab.results import COMPLETED, DIVERGED, PILOT, Cell
from sgdlab.sweeps.jobs import QuickLoader
from sgdlab.terminal.display import stdout
from sgdlab.terminal.notices import warn
from sgdlab.terminal.numbers import number
from sgdlab.training.build import extend_path
from sgdlab.training.dataset import dataset_of
from sgdlab.training.length import plan_of, total_steps

MOST = 1024
"""Trials of a search that seconds can buy: more than this is a mistake in the seconds."""


def trials_for(
    master: DictConfig, loader: QuickLoader, search_ids: Sequence[SearchId], folder: Path
) -> dict[SearchId, int]:
    """Return how many trials the seconds of a search buy each contender on each workload.

    A run costs its steps times the median seconds of a step, measured in short runs alone at the
    optimizer's own settings. The search gets as many trials as fit, and at least one. The runs are
    kept, so that a comparison that is resumed has the same trials.

    Args:
        master: The config of the comparison, with ``seconds``.
        loader: Composes its jobs.
        search_ids: All searches.
        folder: The folder of the comparison.

    Raises:
        InputError: A pilot run failed, so that its time is not known.
    """
    firsts = [search_id for search_id in search_ids if search_id.replicate == 0]
    seed = Seeds(master.seed, master.seeds).tuning(0)
    runs = [overrides_of(search_id, {}, master.study, PILOT, seed) for search_id in firsts]
    with SoloProcess() as process:
        rows = time_alone(master, loader, runs, PILOT, folder, process)
    bought: dict[tuple[object, object], int] = {}
    for position, (search_id, run) in enumerate(zip(firsts, runs, strict=True)):
        own = [rows[repeat * len(firsts) + position] for repeat in range(REPEATS)]
        config = loader.job(master, run).config
        extend_path(config)
        plan = plan_of(config, dataset_of(config))
        cost = _pace(search_id, own) * total_steps(config, plan)
        fit = max(1, math.floor(master.seconds / cost))
        if fit > MOST:
            warn(f"{search_id.name}: {master.seconds:g} s buy {fit:,} trials; {MOST:,} are run")
        if cost > master.seconds:
            warn(
                f"{search_id.name}: one run takes {cost:.3g} s, more than "
                f"seconds={master.seconds:g}"
            )
        bought[search_id.workload, search_id.contender] = min(fit, MOST)
        stdout().print(
            f"{search_id.name}: a run alone takes {number(cost, 3)} s; {master.seconds:g} s buy "
            f"{bought[search_id.workload, search_id.contender]} trials",
            highlight=False,
        )
    return {search_id: bought[search_id.workload, search_id.contender] for search_id in search_ids}


def _pace(search_id: SearchId, rows: Sequence[Mapping[str, Cell]]) -> float:
    """Return the median seconds of a step."""
    paces = [
        float(str(row["train_seconds"])) / int(str(row["steps"]))
        for row in rows
        if row["status"] in (COMPLETED, DIVERGED) and row.get("steps") and row.get("train_seconds")
    ]
    if not paces:
        raise InputError(
            f"{search_id.name}: no pilot run completed, so seconds cannot be turned into trials: "
            f"{rows[0].get('reason')}; set trials=N and seconds=null"
        )
    return median(paces)
