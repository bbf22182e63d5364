# pyright: reportMissingTypeStubs=false
"""From run folders to everything that a report says: `analyse`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from sgdlab.analysis.alone import Alone, with_times
from sgdlab.analysis.entries import Entry, entries
from sgdlab.analysis.load import Runs, load
from sgdlab.analysis.tables import (
    COMPARISON_COLUMNS,
    PAIRWISE_COLUMNS,
    comparison_row,
    frame,
    pair_rows,
    ranked,
    verdict_column,
)
from sgdlab.analysis.targets import Target, choose
from sgdlab.analysis.verdicts import Answer, answer
from sgdlab.analysis.workloads import Workload, workloads
from sgdlab.errors import InputError


@dataclass(frozen=True)
class Result:
    """One workload, analysed; ``entries`` and ``rows`` in the same order, best first."""

    workload: Workload
    entries: list[Entry]
    rows: list[dict[str, Any]]
    pairs: list[dict[str, Any]]
    column: str
    target: Target
    answer: Answer


@dataclass(frozen=True)
class Analysis:
    """All that a report says.

    Attributes:
        runs: Every run found; those that were stacked have the clock of runs alone, if any.
        results: A workload each.
        nowhere: Rows of runs whose files do not say what they are.
    """

    runs: Runs
    results: list[Result]
    nowhere: list[int]

    @property
    def comparison(self) -> pd.DataFrame:
        """``comparison.csv``."""
        return frame([row for result in self.results for row in result.rows], COMPARISON_COLUMNS)

    @property
    def pairwise(self) -> pd.DataFrame:
        """``pairwise.csv``."""
        return frame([pair for result in self.results for pair in result.pairs], PAIRWISE_COLUMNS)

    @property
    def verdicts(self) -> list[str]:
        """The answer in words, one text per workload."""
        if self.results:
            return [result.answer.verdict for result in self.results]
        return ["Nothing can be compared: no run says which optimizer, model and data it is of."]


def analyse(roots: Sequence[Path], target: float | None = None) -> Analysis:
    """Read the runs at or below ``roots`` and compare their optimizers.

    Args:
        roots: Folders of runs, sweeps or comparisons.
        target: Value of the validation metric to time; by default derived per workload.

    Raises:
        InputError: A root is missing or holds no run, or the target cannot be one.
    """
    runs, alone = with_times(load(roots))
    parts, nowhere = workloads(runs)
    if target is not None:
        _check_target(target, parts)
    return Analysis(runs, [_result(runs, alone, part, target) for part in parts], nowhere)


def _result(
    runs: Runs, alone: Mapping[int, Alone], workload: Workload, given: float | None
) -> Result:
    best_first = ranked(runs, workload, entries(runs, workload))
    target = choose(runs, workload, best_first, given)
    rows = [comparison_row(runs, alone, workload, entry, target) for entry in best_first]
    pairs = pair_rows(runs, workload, best_first)
    column = verdict_column(runs, best_first)
    said = answer(workload, best_first, rows, pairs, column, target)
    return Result(workload, best_first, rows, pairs, column, target, said)


def _check_target(target: float, parts: Sequence[Workload]) -> None:
    if not math.isfinite(target):
        raise InputError(f"--target {target}: must be a number, such as 0.95")
    if target > 1 and parts and all(part.metric == "accuracy" for part in parts):
        raise InputError(
            f"--target {target:g}: accuracy is a fraction from 0 to 1; "
            f"{target / 100:g} would be {target:g} %"
        )
