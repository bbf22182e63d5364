"""Sentences that answer the question, made from the tables: no claim that the numbers lack."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sgdlab.analysis import words
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.pairs import STEPS_TO_TARGET
from sgdlab.analysis.targets import Target
from sgdlab.analysis.workloads import WorkloadRuns
from sgdlab.report.verdict import remarks, sentences
from sgdlab.report.verdict.sentences import VerdictInputs, metric_name
from sgdlab.results import DEFAULTS

__all__ = ["Answer", "answer", "metric_name"]

Row = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a workload's numbers say.

    Attributes:
        verdict: Which contender is better, or that this cannot be said, and what that is about;
            one to three sentences.
        facts: Speed, memory and losses of runs: measured, not tested.
        notes: What a reader has to know to read the tables right.
    """

    verdict: str
    facts: list[str]
    notes: list[str]


def answer(
    runs: Runs,
    workload: WorkloadRuns,
    track: str,
    entries: Sequence[Entry],
    rows: Sequence[Row],
    pairs: Sequence[Row],
    column: str,
    target: Target,
    margin: float | None,
) -> Answer:
    """Return the answer for one track of a workload.

    Args:
        runs: Every run.
        workload: What was compared on.
        track: Of the workload.
        entries: The contenders, best first.
        rows: Their rows of ``comparison.csv``, in the same order.
        pairs: The rows of ``pairwise.csv``.
        column: The metric of the verdict.
        target: What runs are timed to.
        margin: The largest difference that does not matter; None: none is stated.
    """
    primary = [pair for pair in pairs if pair["metric"] == column]
    times = [pair for pair in pairs if pair["metric"] == STEPS_TO_TARGET]
    given = workload, track, list(entries), list(rows), primary, column, target, margin, times
    scene = VerdictInputs(*given)
    where = " with default settings" if track == DEFAULTS else ""
    verdict = f"On {workload.name}{where}, {_verdict(scene)}"
    facts = [
        *remarks.lost(rows),
        *remarks.missing(runs, entries),
        *remarks.speed(workload, rows, target),
        *remarks.memory(rows),
        *remarks.halving(rows),
    ]
    notes = [
        *remarks.metric_note(workload, rows, column),
        *remarks.picked_note(entries),
        *remarks.margin_note(workload, primary, margin),
        *remarks.wilcoxon_note(primary),
        *remarks.uneven_note(primary),
        *remarks.target_note(workload, target, track),
        *remarks.time_note(rows),
        *remarks.halving_note(rows),
        *(note for entry in entries for note in entry.notes),
    ]
    return Answer(verdict, facts, notes)


def _verdict(scene: VerdictInputs) -> str:
    rows, alive = scene.rows, scene.alive
    if not alive:
        return f"nothing can be compared: {_why_none(rows)}."
    if len(rows) == 1:
        return _single(scene)
    if len(alive) == 1:
        others = words.listing([row["optimizer"] for row in rows if not row["completed"]])
        return (
            f"only {alive[0]['optimizer']} has completed runs ({sentences.mean(scene, alive[0])}"
            f"); nothing can be concluded against {others}."
        )
    most = max(pair["n_pairs"] for pair in scene.pairs)
    if most < 2:
        unit = scene.unit
        shared = f"one {unit}" if most == 1 else f"no {unit}"
        return (
            f"nothing can be concluded: the optimizers share {shared}, and a difference "
            f"within one {unit} may be chance. {sentences.means(scene)}"
        )
    if len(alive) == 2:
        names = {row["optimizer"] for row in alive}
        pair = next(p for p in scene.pairs if {p["first"], p["second"]} == names)
        said = sentences.two(scene, pair)
    else:
        said = sentences.many(scene)
    lost = [row["optimizer"] for row in rows if not row["completed"]]
    dead = f" No run of {words.listing(lost, 'or')} completed." if lost else ""
    return f"{said}{sentences.losses(scene)}{dead} {sentences.scope(scene)}"


def _why_none(rows: Sequence[Row]) -> str:
    if not any(row["n"] for row in rows):
        return "there is no final run yet"
    parts = [
        f"{sum(row[status] for row in rows)} {status}"
        for status in ("diverged", "failed", "unfinished")
        if sum(row[status] for row in rows)
    ]
    total = sum(row["n"] for row in rows)
    return f"none of {words.count(total, 'run')} completed ({', '.join(parts)})"


def _single(scene: VerdictInputs) -> str:
    row, metric = scene.rows[0], scene.workload.metric
    text = f"there is one optimizer only, {row['optimizer']}: {sentences.mean(scene, row)}"
    low, high = (row[f"{scene.prefix}_ci_{end}"] for end in ("low", "high"))
    if math.isfinite(low):
        text += f" (95 % CI {words.interval(low, high, metric)})"
    else:
        text += ", which says nothing about its spread"
    return f"{text}; nothing to compare it with."
