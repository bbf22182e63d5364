"""What the runs of one workload come to: `Result`."""

from dataclasses import dataclass, field
from typing import Any

from sgdlab.analysis.audit import Check
from sgdlab.analysis.budgets import BudgetCurve
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.sensitivity import Sensitivity
from sgdlab.analysis.targets import Target
from sgdlab.analysis.workloads import WorkloadRuns

Row = dict[str, Any]


@dataclass(frozen=True)
class Result:
    """One track of one workload, analysed.

    Attributes:
        workload: What was compared on.
        track: ``tuned``, ``defaults``, or empty for runs without phases.
        entries: The contenders, best first.
        rows: The rows of ``comparison.csv`` of the contenders, in the same order.
        pairs: The rows of ``pairwise.csv``: those of ``column`` first, then secondary metrics.
        column: The metric of the verdicts.
        target: The value that runs are timed to; that of the tuned track holds for the other, too.
        margin: The largest difference that does not matter; None: equivalence is not tested.
        audit: What speaks for and against the comparison being fair.
        sensitivity: The tuning metric against the learning rate, of the contenders tuned.
        budgets: What a tuning budget buys, of the contenders tuned.
        classical: SGD against Adam in the terms of the textbooks, where both were compared.
    """

    workload: WorkloadRuns
    track: str
    entries: list[Entry]
    rows: list[Row]
    pairs: list[Row]
    column: str
    target: Target
    margin: float | None = None
    audit: list[Check] = field(default_factory=list[Check])
    sensitivity: list[Sensitivity] = field(default_factory=list[Sensitivity])
    budgets: list[BudgetCurve] = field(default_factory=list[BudgetCurve])
    classical: list[Row] = field(default_factory=list[Row])

    @property
    def primary(self) -> list[Row]:
        """The pairs of the metric of the verdicts."""
        return [pair for pair in self.pairs if pair["metric"] == self.column]

    @property
    def alive(self) -> list[Row]:
        """The rows of the contenders that have a completed run."""
        return [row for row in self.rows if row["completed"]]

    @property
    def unit(self) -> str:
        """What a pair is of: ``replicate`` or ``seed``."""
        return self.primary[0]["unit"] if self.primary else self.entries[0].unit

    @property
    def prefix(self) -> str:
        """How the columns of the metric of the verdicts begin in ``comparison.csv``."""
        return "test_metric" if self.column == "test_metric" else "val_metric"

    @property
    def metric_name(self) -> str:
        """The metric of the verdicts in words: ``test accuracy``."""
        split = "test" if self.column == "test_metric" else "final validation"
        return f"{split} {self.workload.metric}".strip()
