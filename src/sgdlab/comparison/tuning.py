"""The tuning of a comparison: every search asks for trials, all are run, every search is told."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig

from sgdlab.comparison.contenders import SearchId, Seeds, overrides_of
from sgdlab.comparison.protocol import candidates_of
from sgdlab.comparison.winners import Trial
from sgdlab.results import ONE, TUNE, Cell
from sgdlab.search import Search, Value, search_of

RunPhase = Callable[[str, Sequence[Sequence[str]]], list[dict[str, Cell]]]
"""Runs jobs, given by a phase and their overrides; returns their summaries."""

STORAGE = "optuna.db"
"""The file of a comparison that holds the studies of ``search.method=tpe``."""


class Tuning:
    """The searches of a comparison: for each workload, contender and replicate one.

    Args:
        master: The config of the comparison, which names its study.
        trials: The number of settings that each search draws.
        folder: The folder of the comparison; None keeps no files, for a check.

    Raises:
        InputError: A search cannot be made as asked.
    """

    def __init__(
        self, master: DictConfig, trials: Mapping[SearchId, int], folder: Path | None = None
    ) -> None:
        self._master = master
        self._study = str(master.study)
        self._seeds = Seeds(master.seed, master.seeds)
        # Every drawn setting is run with each candidate of the scaling rule.
        self._factors: list[Value] = list(candidates_of(master)) or [None]
        search = master.search
        self._searches: dict[SearchId, Search] = {
            search_id: search_of(
                search.method,
                search_id.space,
                count,
                self._seeds.tuning(search_id.replicate),
                # For one setting of all workloads, all of them try the same ones.
                search_id.contender.name if ONE in master.tracks else search_id.name,
                recentre=search.recentre,
                batch=search.batch,
                storage=None if folder is None else folder / STORAGE,
                study=f"{search_id.name} (search {search_id.replicate})",
            )
            for search_id, count in trials.items()
        }

    def first_jobs(self) -> dict[SearchId, list[list[str]]]:
        """Return the jobs of the first round, for a check; call it once, and run nothing after."""
        return {
            search_id: [
                self._job(search_id, number, settings)
                for number, settings in enumerate(self._with_candidates(search.ask()))
            ]
            for search_id, search in self._searches.items()
        }

    def carry_out(self, run: RunPhase) -> dict[SearchId, list[Trial]]:
        """Run all trials, round after round; return them by search."""
        tried: dict[SearchId, list[Trial]] = {search_id: [] for search_id in self._searches}
        while True:
            asked = {search_id: search.ask() for search_id, search in self._searches.items()}
            asked = {search_id: batch for search_id, batch in asked.items() if batch}
            if not asked:
                return tried
            planned = [
                (search_id, len(tried[search_id]) + position, settings)
                for search_id, batch in asked.items()
                for position, settings in enumerate(self._with_candidates(batch))
            ]
            rows = run(TUNE, [self._job(*trial) for trial in planned])
            for (search_id, number, settings), row in zip(planned, rows, strict=True):
                tried[search_id].append(Trial(number, settings, row))
            for search_id, batch in asked.items():
                latest = tried[search_id][-len(batch) * len(self._factors) :]
                self._searches[search_id].tell(self._objectives(latest))

    def _with_candidates(self, batch: Sequence[Mapping[str, Value]]) -> list[dict[str, Value]]:
        return [
            {**settings, **({} if factor is None else {"scaling.candidate": factor})}
            for settings in batch
            for factor in self._factors
        ]

    def _objectives(self, latest: Sequence[Trial]) -> list[float]:
        """Return the objective of each drawn setting: that of its best candidate."""
        values = [trial.objective(self._master.select_by) for trial in latest]
        width = len(self._factors)
        return [
            min(values[start : start + width], default=math.inf)
            for start in range(0, len(values), width)
        ]

    def _job(self, search_id: SearchId, number: int, settings: Mapping[str, Value]) -> list[str]:
        seed = self._seeds.tuning(search_id.replicate)
        return overrides_of(search_id, settings, self._study, TUNE, seed, trial=number)
