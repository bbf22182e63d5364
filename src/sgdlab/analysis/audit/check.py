"""What a check of the audit is, and what all of them look at."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from sgdlab.analysis.audit.plan import DeclaredPlan
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.environments import environments
from sgdlab.analysis.load import Runs
from sgdlab.analysis.workloads import WorkloadRuns
from sgdlab.checks import is_number
from sgdlab.results import APART, TIMING

PASS, WARN, FAIL = "pass", "warn", "fail"
_ORDER = (PASS, WARN, FAIL)

SHOWN = 6
"""Items of a list that a detail names; of more it says how many."""


def planned_name(runs: Runs, workload: WorkloadRuns) -> str:
    """Return ``dataset/model`` as ``study.yaml`` calls a workload, without what varies."""
    if not workload.rows:
        return workload.name
    run = runs.rows[workload.rows[0]]
    return f"{run['dataset']}/{run['model']}"


@dataclass(frozen=True)
class Check:
    """One line of ``audit.csv``.

    Attributes:
        check: What was looked at, in a few words.
        status: ``pass``, ``warn`` or ``fail``.
        detail: The evidence, in numbers and names; "not known: …" where the files do not tell.
        workload: ``dataset/model``.
    """

    check: str
    status: str
    detail: str
    workload: str


class AuditFinding(NamedTuple):
    """What a check found: its status and the evidence."""

    status: str
    detail: str


def passed(detail: str) -> AuditFinding:
    """Nothing is wrong, and this shows it."""
    return AuditFinding(PASS, detail)


def warned(detail: str) -> AuditFinding:
    """A reader has to know this."""
    return AuditFinding(WARN, detail)


def failed(detail: str) -> AuditFinding:
    """This makes the comparison unfair or its numbers wrong."""
    return AuditFinding(FAIL, detail)


def unknown(detail: str) -> AuditFinding:
    """The files do not tell: a warning, never a pass."""
    return AuditFinding(WARN, f"not known: {detail}")


def idle(detail: str) -> AuditFinding:
    """There is nothing that could be wrong, for the reason given."""
    return AuditFinding(PASS, f"does not apply: {detail}")


def overall(findings: Sequence[AuditFinding]) -> AuditFinding:
    """Return the worst status, with the evidence of all that are not a pass, worst first.

    Where all pass, their evidence is joined.
    """
    worst = max((f.status for f in findings), key=_ORDER.index)
    told = [f for f in findings if f.status != PASS] or list(findings)
    told.sort(key=lambda finding: -_ORDER.index(finding.status))
    return AuditFinding(worst, some([finding.detail for finding in told], "; "))


def some(items: Sequence[str], between: str = ", ") -> str:
    """Return the first items of a list, and how many more there are."""
    if len(items) <= SHOWN:
        return between.join(items)
    return between.join([*items[:SHOWN], f"and {len(items) - SHOWN:,} more"])


def span(numbers: Sequence[float]) -> str:
    """Return whole numbers in short: ``1–3, 5``."""
    parts: list[list[int]] = []
    for number in sorted({int(n) for n in numbers}):
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return some(["–".join(map(str, part)) for part in parts])


def share(part: int, whole: int) -> str:
    """Return ``3 of 80 (4 %)``."""
    return f"{part} of {whole} ({100 * part / whole:.0f} %)"


@dataclass(frozen=True)
class Case:
    """What is audited: a workload of a track.

    Attributes:
        runs: Every run.
        workload: What is compared on.
        entries: What is compared.
        pairs: Rows of ``pairwise.csv`` of this workload and track.
        column: The metric of the verdicts.
        plan: What ``study.yaml`` says was planned.
    """

    runs: Runs
    workload: WorkloadRuns
    entries: Sequence[Entry]
    pairs: Sequence[Mapping[str, Any]]
    column: str
    plan: DeclaredPlan

    @property
    def names(self) -> list[str]:
        """The names of the contenders."""
        return [entry.optimizer for entry in self.entries]

    @property
    def chosen(self) -> list[int]:
        """The rows of the runs compared, of all contenders."""
        return [row for entry in self.entries for row in entry.chosen]

    @property
    def trials(self) -> list[int]:
        """The rows of the tuning trials of all contenders."""
        return [row for entry in self.entries for row in entry.trials]

    @property
    def ours(self) -> list[int]:
        """The rows of the runs compared and of the tuning trials."""
        return [*self.chosen, *self.trials]

    @property
    def how_many(self) -> str:
        """``each of 3 optimizers`` or settings, or the name of the only one."""
        if len(self.entries) == 1:
            return self.entries[0].optimizer
        return f"each of {len(self.entries)} {self.workload.noun}s"

    @property
    def only_one(self) -> AuditFinding:
        """There is nothing to compare."""
        return idle(f"there is one {self.workload.noun}")

    @property
    def defaults(self) -> bool:
        """Whether this is the track of published settings, where nothing is tuned."""
        return {self.cell(row, "phase") for row in self.chosen} <= {*APART}

    @property
    def tuned(self) -> bool:
        """Whether any contender was tuned by trials."""
        return any(entry.tuned for entry in self.entries)

    @property
    def untuned(self) -> str:
        """The reason why nothing was tuned."""
        if self.defaults:
            return "published settings, nothing is tuned in this track"
        return "no tuning trials, these are runs of a sweep or single runs"

    @cached_property
    def key(self) -> str:
        """``dataset/model`` as ``study.yaml`` calls the workload, without what varies."""
        return planned_name(self.runs, self.workload)

    @cached_property
    def timing(self) -> list[int]:
        """Rows of the short runs alone that give time and memory of stacked runs."""
        names = set(self.names)
        return [
            row
            for row in self.workload.rows
            if self.cell(row, "phase") == TIMING and self.workload.label(self.runs, row) in names
        ]

    @cached_property
    def environment(self) -> dict[int, Mapping[str, Any]]:
        """The content of ``environment.json`` by row: runs compared, trials and timing runs."""
        rows = sorted({*self.ours, *self.timing})
        return dict(zip(rows, environments(self.runs, rows), strict=True))

    def cell(self, row: int, column: str) -> Any:
        """Return a cell of ``runs.csv``; None where it is empty or there is no such column."""
        return self.runs.rows[row].get(column)

    def number(self, row: int, column: str) -> float:
        """Return a cell as a number, NaN where it is none."""
        cell = self.cell(row, column)
        return float(cell) if is_number(cell) else math.nan

    def seeds(self, rows: Sequence[int]) -> list[float]:
        """Return the seeds of some rows that have one, in their order."""
        seeds = [self.number(row, "seed") for row in rows]
        return [seed for seed in seeds if not math.isnan(seed)]

    def replicate(self, number: float) -> str:
        """Return `` in replicate 2``, empty where runs have no replicates."""
        return "" if number < 0 else f" in replicate {number:g}"

    def name_of(self, column: str) -> str:
        """Return what a column of ``runs.csv`` measures: the metric of the workload, or a loss."""
        return self.workload.metric if column.endswith("metric") else "loss"
