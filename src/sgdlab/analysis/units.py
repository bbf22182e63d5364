"""What counts as one observation: a replicate (a search and its final runs), else a seed or run."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from sgdlab.analysis.load import Runs
from sgdlab.analysis.workloads import missing, text
from sgdlab.checks import is_number
from sgdlab.results import COMPLETED, TUNE

REPLICATE: Literal["replicate"] = "replicate"
SEED: Literal["seed"] = "seed"

RUN: Literal["run"] = "run"

Unit = Literal["replicate", "seed", "run"]


VARY = "split.vary"
"""The setting by which runs say that their split is one of many draws."""

NO_REPLICATE = -1.0
"""Key of the only search of a contender whose runs have no number of a replicate."""


class Units:
    """Numbers the units of a workload, so that equal numbers of two contenders are a pair.

    The unit is the replicate where any contender has more than one, over its trials and final
    runs: a replicate whose search found nothing is a unit that is missing. Its number is that in
    the column ``replicate``. Of several studies, those that give the same seeds to the final runs
    of a replicate share its number (they started from the same weights and saw the same batches);
    those of others follow after all before them.

    Elsewhere the unit is a seed. Seeds and replicates that meet in one workload are no pairs:
    there seeds are numbered ``seed + 1/2``. Runs without a seed are numbered downwards from −1;
    where logs tell no unit at all, each run is one.

    Args:
        runs: All that were found.
        members: The rows of trials and of the runs to be compared, by contender.
        searched: Whether each replicate has a search or a split of its own, which its seeds share;
            else it is nothing but its seeds.
        paired: Whether equal seeds are pairs.
    """

    def __init__(
        self,
        runs: Runs,
        members: Mapping[str, Sequence[int]],
        searched: bool = True,
        paired: bool = True,
    ) -> None:
        self._runs = runs
        searches = {name: {self._replicate(row) for row in rows} for name, rows in members.items()}
        several = searched and any(len(found - {None}) > 1 for found in searches.values())
        self._kinds: dict[str, Unit] = {
            name: REPLICATE if several and None not in found else SEED if paired else RUN
            for name, found in searches.items()
        }
        self._mixed = REPLICATE in self._kinds.values()
        self._offsets = self._of_studies([row for rows in members.values() for row in rows])

    def kind(self, name: str) -> Unit:
        """Return what a unit of a contender is."""
        return self._kinds[name]

    def number(self, row: int, kind: Unit) -> float:
        """Return the number of the unit that a run belongs to."""
        if kind == REPLICATE:
            return self.search(row)
        seed = self._runs.rows[row]["seed"]
        if not is_number(seed):
            return -1.0 - row
        return float(seed) + (0.5 if self._mixed else 0.0)

    def search(self, row: int) -> float:
        """Return the number of the search that a run belongs to, `NO_REPLICATE` if none is told."""
        replicate = self._replicate(row)
        if replicate is None:
            return NO_REPLICATE
        return replicate + self._offsets.get(text(self._runs.rows[row]["study"]), 0.0)

    def _replicate(self, row: int) -> float | None:
        cell = self._runs.rows[row]["replicate"]
        return float(cell) if is_number(cell) else None

    def _of_studies(self, rows: Sequence[int]) -> dict[str, float]:
        """Return what is added to the replicates of each study."""
        seeds: dict[str, dict[float, set[object]]] = {}
        for row in rows:
            run, replicate = self._runs.rows[row], self._replicate(row)
            if replicate is not None:
                own = seeds.setdefault(text(run["study"]), {})
                own.setdefault(replicate, set())
                if run["phase"] != TUNE and not missing(run["seed"]):
                    own[replicate].add(run["seed"])
        step = 1 + max((max(own) for own in seeds.values()), default=0.0)
        plans: list[dict[float, set[object]]] = []
        offsets: dict[str, float] = {}
        for study in sorted(seeds):
            own = seeds[study]
            place = next((n for n, plan in enumerate(plans) if _agree(plan, own)), len(plans))
            if place == len(plans):
                plans.append({})
            for replicate, found in own.items():
                plans[place].setdefault(replicate, set()).update(found)
            offsets[study] = place * step
        return offsets


def _agree(plan: Mapping[float, set[object]], own: Mapping[float, set[object]]) -> bool:
    """Whether the final runs of two studies share seeds in every replicate of both."""
    common = [replicate for replicate, seeds in own.items() if seeds and plan.get(replicate)]
    return bool(common) and all(plan[replicate] & own[replicate] for replicate in common)


def varies(runs: Runs, rows: Sequence[int]) -> bool:
    """Whether some runs have splits that were drawn, one for each replicate, else for each seed.

    Seeds of one replicate share its split: there nothing varies.
    """
    if not rows or not all(runs.configs[row].get(VARY) is True for row in rows):
        return False
    of = {(text(runs.rows[row]["study"]), text(runs.rows[row]["replicate"])) for row in rows}
    return len(of) > 1 or all(not replicate for _, replicate in of)


def unit_values(
    runs: Runs, units: Mapping[float, Sequence[int]], column: str
) -> dict[float, float]:
    """Return a column by unit: the mean over the completed runs of each that have a number.

    Units without such a run are absent: nothing stands for what was not measured.
    """
    found: dict[float, float] = {}
    for number, rows in units.items():
        values = [
            float(cell)
            for row in rows
            if runs.rows[row]["status"] == COMPLETED and is_number(cell := runs.rows[row][column])
        ]
        if values:
            found[number] = math.fsum(values) / len(values)
    return found
