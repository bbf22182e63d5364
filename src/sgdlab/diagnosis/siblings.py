"""Runs that differ from one in batch and rate alone, found without comparing every pair."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sgdlab.diagnosis.run import RunRecord
from sgdlab.results import Cell

CHANGED = 2.0
"""Factor from which another batch asks for another rate."""

_AS_LONG = 1.5
"""Factor in examples up to which runs are as long as each other: shorter ones end higher."""

_BATCH = ("batch_size", "accumulate", "max_steps", "optimizer.lr")
"""Settings that belong to the batch and its rate."""


@dataclass
class _Group:
    """Runs that agree in all but batch and rate, by these two, each with its examples."""

    by_rate: dict[float, dict[int, list[tuple[float, RunRecord]]]] = field(
        default_factory=dict[float, dict[int, list[tuple[float, RunRecord]]]]
    )
    shortest: dict[int, dict[float, float]] = field(default_factory=dict[int, dict[float, float]])
    """Examples of the shortest run of a batch at each rate; the two shortest rates are enough."""

    def add(self, run: RunRecord, batch: int) -> None:
        rate, seen = rate_of(run), _examples(run)
        self.by_rate.setdefault(rate, {}).setdefault(batch, []).append((seen, run))
        shortest = self.shortest.setdefault(batch, {})
        shortest[rate] = min(seen, shortest.get(rate, seen))
        if len(shortest) > 2:
            del shortest[max(shortest, key=lambda rate: shortest[rate])]


class Siblings:
    """Runs of which some may differ from a run in batch and rate alone.

    Args:
        runs: The runs; the one that is asked about may be among them.
    """

    def __init__(self, runs: Iterable[RunRecord] = ()) -> None:
        self._groups: dict[frozenset[tuple[str, Cell]], _Group] = {}
        for run in runs:
            if (batch := run.effective_batch) and len(run.lr):
                self._groups.setdefault(_rest(run), _Group()).add(run, batch)

    def have_other_rate(self, run: RunRecord) -> bool:
        """Say whether the batch of a run was tried with another rate, over as many examples."""
        group = self._groups.get(_rest(run))
        if group is None:
            return False
        shortest = group.shortest.get(run.effective_batch or 0, {})
        rate, most = rate_of(run), _AS_LONG * _examples(run)
        return any(seen <= most for other, seen in shortest.items() if other != rate)

    def smaller(self, run: RunRecord) -> RunRecord | None:
        """Return a run with a much smaller batch, the largest such, the same rate and no longer."""
        group = self._groups.get(_rest(run))
        if group is None:
            return None
        largest, most = (run.effective_batch or 0) / CHANGED, _AS_LONG * _examples(run)
        at_rate = group.by_rate.get(rate_of(run), {})
        for batch in sorted((batch for batch in at_rate if batch <= largest), reverse=True):
            found = next((other for seen, other in at_rate[batch] if seen <= most), None)
            if found is not None:
                return found
        return None


def rate_of(run: RunRecord) -> float:
    """Return the highest rate that a run used."""
    return float(f"{float(run.lr.max()):.6g}")


def _examples(run: RunRecord) -> float:
    return float(run.steps["examples"][-1])


def _rest(run: RunRecord) -> frozenset[tuple[str, Cell]]:
    """Return the settings that determine a run, batch and what belongs to it aside."""
    return frozenset(
        (key, value)
        for key, value in run.settings.items()
        if key not in _BATCH and not key.startswith("scaling.")
    )
