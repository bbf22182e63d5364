"""What is claimed of contenders, beside that they differ: `Hypothesis`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.pairs import verdict_column
from sgdlab.analysis.splits import overlap_of
from sgdlab.analysis.statistics import TargetClaim, target_claims
from sgdlab.analysis.units import unit_values
from sgdlab.analysis.workloads import WorkloadRuns
from sgdlab.errors import InputError, suggest


@dataclass(frozen=True)
class Hypothesis:
    """What is claimed.

    Attributes:
        better_than: The contender that all others are said to be better than; empty: none is.
        target: The value that the mean of the metric of the verdicts is said to reach.
        sigma: The known standard deviation of a run; None: it is estimated.
        attempts: Of how many attempts the best is shown.
        anytime: Whether p-values and intervals have to hold however often one looks.
    """

    better_than: str = ""
    target: float | None = None
    sigma: float | None = None
    attempts: int = 1
    anytime: bool = False

    def of(self, parts: Sequence[WorkloadRuns], names: Sequence[str]) -> list[WorkloadRuns]:
        """Return workloads whose pairs are judged by this claim.

        Args:
            parts: The workloads.
            names: The contenders.

        Raises:
            InputError: The contender to be better than is none of them.
        """
        if self.better_than and self.better_than not in names:
            found = suggest(self.better_than, names)
            raise InputError(f"--better-than {self.better_than}: nothing of that name; {found}")
        return [replace(part, baseline=self.better_than, attempts=self.attempts) for part in parts]

    def reached(
        self, runs: Runs, workload: WorkloadRuns, entries: Sequence[Entry]
    ) -> list[TargetClaim]:
        """Return whether each contender reaches the target; empty where there is none."""
        if self.target is None:
            return []
        column = verdict_column(runs, entries)
        samples = [(e.optimizer, unit_values(runs, e.units, column)) for e in entries]
        return target_claims(
            samples,
            self.target,
            maximise=workload.maximise,
            sigma=self.sigma,
            attempts=self.attempts,
            anytime=self.anytime,
            overlap=overlap_of(runs, entries, column),
        )


NO_HYPOTHESIS = Hypothesis()
"""Nothing is claimed: all pairs are judged."""
