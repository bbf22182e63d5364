"""What the runs of one workload come to: `Result`."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sgdlab.analysis.audit import Check
from sgdlab.analysis.budgets import BudgetCurve
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.progress import SearchProgress
from sgdlab.analysis.sensitivity import Sensitivity
from sgdlab.analysis.statistics import ALL_PAIRS, FIXED, TargetClaim
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
        claims: Whether each contender reaches a fixed target, where that was asked.
        goal: That target; ``target`` is of evaluations during training, this of their result.
        speed_ups: The rows of ``speedup.csv``: how much sooner others reach what a reference does.
        sigma: The standard deviation of a run that was stated for it, if any was.
        design: Whether one looks once (``fixed``), as ``planned``, or at any time.
        progress: How far each search of the workload has come, where runs are still to come.
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
    claims: list[TargetClaim] = field(default_factory=list[TargetClaim])
    goal: float | None = None
    speed_ups: list[Row] = field(default_factory=list[Row])
    sigma: float | None = None
    design: str = FIXED
    progress: list[SearchProgress] = field(default_factory=list[SearchProgress])

    @cached_property
    def _by_names(self) -> dict[frozenset[str], Row]:
        return {frozenset((pair["first"], pair["second"])): pair for pair in self.primary}

    def asks(self, one: str, other: str) -> bool:
        """Whether a declared question is about these two contenders."""
        return frozenset((one, other)) in self._by_names

    def pair(self, one: str, other: str) -> Row:
        """Return the pair of two contenders, of the metric of the verdicts, in whatever order.

        Raises:
            KeyError: No declared question is about the two.
        """
        return self._by_names[frozenset((one, other))]

    @property
    def primary(self) -> list[Row]:
        """The pairs of the metric of the verdicts, those aside that answer no declared question."""
        own = [pair for pair in self.pairs if pair["metric"] == self.column]
        return [pair for pair in own if pair.get("family", ALL_PAIRS)]

    @property
    def families(self) -> dict[str, list[Row]]:
        """The pairs of the metric of the verdicts by the question that they answer."""
        found: dict[str, list[Row]] = {}
        for pair in self.primary:
            found.setdefault(pair.get("family", ALL_PAIRS), []).append(pair)
        return found

    @property
    def noun(self) -> str:
        """What is compared: an ``optimizer``, or a ``setting``."""
        return self.workload.noun

    @property
    def heading(self) -> str:
        """What stands above the names of what is compared: ``Optimizer``, or ``batch_size, lr``."""
        if self.workload.logged:
            return self.workload.logged.group
        if self.workload.ingredients:
            return "Variant"
        return ", ".join(self.workload.by) or "Optimizer"

    @property
    def alive(self) -> list[Row]:
        """The rows of the contenders that have a completed run."""
        return [row for row in self.rows if row["completed"]]

    @property
    def unit(self) -> str:
        """What a pair is of: ``replicate``, ``seed`` or ``run``."""
        return self.primary[0]["unit"] if self.primary else self.entries[0].unit

    @property
    def prefix(self) -> str:
        """How the columns of the metric of the verdicts begin in ``comparison.csv``."""
        return "test_metric" if self.column == "test_metric" else "val_metric"

    @property
    def evaluated(self) -> str:
        """What is evaluated during training: ``validation accuracy``; of logs their own name."""
        split = "" if self.workload.logged else "validation"
        return f"{split} {self.workload.metric}".strip()

    @property
    def metric_title(self) -> str:
        """The metric of the verdicts at the head of a sentence; columns of logs as they are."""
        name = self.metric_name
        return name if self.workload.logged else f"{name[0].upper()}{name[1:]}"

    @property
    def metric_name(self) -> str:
        """The metric of the verdicts in words: ``test accuracy``; that of logs as they call it."""
        if self.workload.logged:
            return self.workload.metric
        split = "test" if self.column == "test_metric" else "final validation"
        return f"{split} {self.workload.metric}".strip()
