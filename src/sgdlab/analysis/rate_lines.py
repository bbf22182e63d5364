"""Results against the learning rate, a line for each combination of the other settings."""

from collections.abc import Sequence
from dataclasses import replace

from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.sensitivity import Sensitivity, compared, sensitivity_of
from sgdlab.analysis.tuning import learning_rate
from sgdlab.analysis.varied import labels, varied_keys
from sgdlab.analysis.workloads import WorkloadRuns, contender

MOST_LINES = 8
"""Combinations of other settings that have a line each; runs of more are points without a line."""


def rate_lines(
    runs: Runs, workload: WorkloadRuns, entries: Sequence[Entry], column: str
) -> list[Sensitivity]:
    """Return what the learning rate does, never mixing runs of different other settings.

    Each contender of a sweep has a line for every combination of the other settings that vary; of
    more than `MOST_LINES`, and of tuning trials, the runs are together and ``pooled`` names what
    varies. Where learning rates are compared, the other settings compared with them are the lines.
    """
    if "lr" in workload.by and not workload.pooled:
        rows = [row for entry in entries for row in compared(entry)]
        rest = [key for key in workload.by if key != "lr"]
        named = _by_name(labels(runs, rows, rest), contender(runs, rows[0]) if rows else "")
        return [sensitivity_of(runs, workload, name, own, column) for name, own in named]
    return [
        found for entry in entries for found in _of_entry(runs, workload, entry, column)
    ]  # fmt: skip


def _of_entry(runs: Runs, workload: WorkloadRuns, entry: Entry, column: str) -> list[Sensitivity]:
    rows = entry.trials or compared(entry)
    others = [key for key in varied_keys(runs, rows) if key != "lr"]
    groups = _by_name(labels(runs, rows, others), "")
    if entry.trials or len(groups) > MOST_LINES:
        groups = [("", rows)]
    else:
        others = []
    found: list[Sensitivity] = []
    for name, own in groups:
        whole = " ".join(filter(None, (entry.optimizer, name)))
        rates = sorted(
            {learning_rate(runs, row) for row in entry.chosen if _is_in(row, own, entry)}
        )
        one = sensitivity_of(runs, workload, whole, own, column)
        found.append(replace(one, pooled=tuple(others), compared=tuple(r for r in rates if r > 0)))
    return found


def _is_in(row: int, own: Sequence[int], entry: Entry) -> bool:
    """Whether a run compared is of a line; that of trials has all of its contender."""
    return bool(entry.trials) or row in own


def _by_name(names: dict[int, str], alone: str) -> list[tuple[str, list[int]]]:
    """Return rows by their name, the only one if it is empty being ``alone``."""
    found: dict[str, list[int]] = {}
    for row, name in names.items():
        found.setdefault(name or alone, []).append(row)
    return list(found.items())
