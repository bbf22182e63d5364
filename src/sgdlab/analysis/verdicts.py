"""Sentences that answer the question, made from the tables: no claim that the numbers lack."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sgdlab.analysis import remarks, words
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.statistics import ALPHA
from sgdlab.analysis.tables import FIRST_BETTER, UNDECIDED
from sgdlab.analysis.targets import Target
from sgdlab.analysis.workloads import Workload

Row = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a workload's numbers say.

    Attributes:
        verdict: Which optimizer is better, or that this cannot be said; one to three sentences.
        facts: Speed, memory and losses of runs: measured, not tested.
        notes: What a reader has to know to read the tables right.
    """

    verdict: str
    facts: list[str]
    notes: list[str]


def metric_name(workload: Workload, column: str) -> str:
    """Return what a column measures, in words: ``test accuracy``."""
    return f"{'test' if column == 'test_metric' else 'final validation'} {workload.metric}".strip()


def answer(
    workload: Workload,
    entries: Sequence[Entry],
    rows: Sequence[Row],
    pairs: Sequence[Row],
    column: str,
    target: Target,
) -> Answer:
    """Return the answer for one workload; ``rows`` and ``entries`` in one order, best first."""
    verdict = f"On {workload.name}, {_verdict(workload, entries, rows, pairs, column)}"
    facts = [*remarks.lost(rows), *remarks.speed(workload, rows, target), *remarks.memory(rows)]
    facts += remarks.halving(rows)
    notes = [
        *remarks.metric_note(workload, rows, column),
        *remarks.picked_note(entries),
        *remarks.target_note(workload, target),
        *remarks.time_note(rows),
        *remarks.halving_note(rows),
        *(note for entry in entries for note in entry.notes),
    ]
    return Answer(verdict, facts, notes)


def _verdict(
    workload: Workload,
    entries: Sequence[Entry],
    rows: Sequence[Row],
    pairs: Sequence[Row],
    column: str,
) -> str:
    alive = [row for row in rows if row["completed"]]
    if not alive:
        return f"nothing can be compared: {_why_none(rows)}."
    if len(rows) == 1:
        return _single(workload, rows[0], column)
    if len(alive) == 1:
        others = words.listing([row["optimizer"] for row in rows if not row["completed"]])
        return (
            f"only {alive[0]['optimizer']} has completed runs ({_mean(workload, alive[0], column)}"
            f"); nothing can be concluded against {others}."
        )
    most = max(pair["n_pairs"] for pair in pairs)
    if most < 2:
        seeds = "one seed" if most == 1 else "no seed"
        return (
            f"nothing can be concluded: the optimizers share {seeds}, and a difference "
            f"within one seed may be chance. {_means(workload, alive, column)}"
        )
    scope = _scope(entries)
    if len(alive) == 2:
        pair = next(p for p in pairs if {p["first"], p["second"]} == set(_names(alive)))
        return f"{_two(workload, pair, column)} {scope}"
    return f"{_many(workload, alive, pairs, column)} {scope}"


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


def _names(rows: Sequence[Row]) -> list[str]:
    return [row["optimizer"] for row in rows]


def _prefix(column: str) -> str:
    return "test_metric" if column == "test_metric" else "val_metric"


def _mean(workload: Workload, row: Row, column: str) -> str:
    prefix = _prefix(column)
    value = words.metric(row[f"{prefix}_mean"], workload.metric)
    return (
        f"mean {metric_name(workload, column)} {value} over {words.count(row['completed'], 'run')}"
    )


def _means(workload: Workload, rows: Sequence[Row], column: str) -> str:
    prefix = _prefix(column)
    values = [
        f"{row['optimizer']} {words.metric(row[f'{prefix}_mean'], workload.metric)}"
        for row in rows[:5]
    ]
    more = f", and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"{metric_name(workload, column).capitalize()}: {', '.join(values)}{more}."


def _single(workload: Workload, row: Row, column: str) -> str:
    prefix = _prefix(column)
    text = f"there is one optimizer only, {row['optimizer']}: {_mean(workload, row, column)}"
    low, high = row[f"{prefix}_ci_low"], row[f"{prefix}_ci_high"]
    if math.isfinite(low):
        text += f" (95 % CI {words.interval(low, high, workload.metric)})"
    else:
        text += ", which says nothing about its spread"
    return f"{text}; nothing to compare it with."


def _two(workload: Workload, pair: Row, column: str) -> str:
    first, second = pair["first"], pair["second"]
    name = metric_name(workload, column)
    seeds = words.count(pair["n_pairs"], "paired seed")
    gap = words.difference(pair["mean_difference"], workload.metric)
    detail = f"difference in mean {name} ({first} − {second}) {gap}"
    if math.isfinite(pair["ci_low"]):
        low, high = (
            words.difference(pair[end], workload.metric, unit=False)
            for end in ("ci_low", "ci_high")
        )
        detail += f", 95 % CI {low} to {high}"
    detail += f", over {seeds}"
    if pair["note"]:
        detail += f" ({pair['note']})"
    elif math.isfinite(pair["p_value"]):
        detail += f" ({words.p_equals(pair['p_adjusted'])})"
    if pair["verdict"] == UNDECIDED:
        return f"{first} and {second} are not distinguishable: {detail}."
    best, worst = (first, second) if pair["verdict"] == FIRST_BETTER else (second, first)
    return f"{best} is better than {worst}: {detail}."


def _many(workload: Workload, alive: Sequence[Row], pairs: Sequence[Row], column: str) -> str:
    best = alive[0]["optimizer"]
    against = {
        (p["second"] if p["first"] == best else p["first"]): p["verdict"] != UNDECIDED
        for p in pairs
        if best in (p["first"], p["second"])
    }
    names = _names(alive[1:])
    beaten = [name for name in names if against[name]]
    level = [name for name in names if not against[name]]
    text = f"{best} has the best {_mean(workload, alive[0], column)}"
    if not level:
        text += " and is better than every other"
    elif not beaten:
        text += ", but no other is distinguishable from it"
    else:
        text += f"; it is better than {_some(beaten)}, and not distinguishable from {_some(level)}"
    return f"{text} (paired t-tests, Holm over {words.count(len(pairs), 'pair')}, {ALPHA:g} level)."


def _some(names: Sequence[str]) -> str:
    return words.listing(names) if len(names) <= 6 else f"{len(names)} others"


def _scope(entries: Sequence[Entry]) -> str:
    if all(entry.tuned for entry in entries):
        return (
            "This holds for these tuned settings; how much tuning found them by luck "
            "is not measured here."
        )
    return (
        "This holds for these settings, which were not tuned under one budget; "
        "others may rank differently."
    )
