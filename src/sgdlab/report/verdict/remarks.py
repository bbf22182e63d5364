"""Sentences beside the verdict: what was measured, not tested, and how to read the tables."""

import math
from collections.abc import Sequence
from typing import Any

from sgdlab.analysis import words
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.statistics import ALPHA, smallest_signed_rank
from sgdlab.analysis.targets import Target
from sgdlab.analysis.times import barren
from sgdlab.analysis.units import REPLICATE
from sgdlab.analysis.workloads import WorkloadRuns
from sgdlab.results import DEFAULTS
from sgdlab.search.halving import Saved

Row = dict[str, Any]


def lost(rows: Sequence[Row]) -> list[str]:
    """Say which optimizers have runs that did not complete."""
    facts: list[str] = []
    for row in rows:
        lost = [f"{row[s]} {s}" for s in ("diverged", "failed", "unfinished") if row[s]]
        if lost:
            facts.append(
                f"{row['optimizer']}: {', '.join(lost)} of {words.count(row['n'], 'run')}; "
                "means and pairs are of completed runs."
            )
    return facts


def missing(runs: Runs, entries: Sequence[Entry]) -> list[str]:
    """Say which replicates have no final run, and why."""
    facts: list[str] = []
    for entry in entries:
        empty = [number for number, rows in entry.units.items() if not rows]
        if empty and entry.unit == REPLICATE:
            lost = [number for number in empty if barren(runs, entry, number)]
            facts += [
                f"{entry.optimizer}: {_replicates(numbers, len(entry.units))} {why}, and cannot be "
                "compared."
                for numbers, why in (
                    (lost, "found no setting to run again, since no trial completed"),
                    ([n for n in empty if n not in lost], "did not run a winner again yet"),
                )
                if numbers
            ]
    return facts


def _replicates(numbers: Sequence[float], of: int) -> str:
    if len(numbers) == of:
        return f"all {words.count(of, 'replicate')}"
    shown = words.listing([words.number(number) for number in numbers])
    return f"replicate{'' if len(numbers) == 1 else 's'} {shown} of {of}"


def speed(workload: WorkloadRuns, rows: Sequence[Row], target: Target) -> list[str]:
    """Say who reached the target first, by median steps."""
    if target.value is None:
        return []
    steps = [(row.get("median_steps_to_target", math.nan), row["optimizer"]) for row in rows]
    there = sorted((s, name) for s, name in steps if math.isfinite(s))
    if len(there) < 2:
        return []
    (fast, quickest), (slow, second) = there[0], there[1]
    goal = words.metric(target.value, workload.metric)
    text = f"To {goal} validation {workload.metric} {quickest} took {fast:,.0f} steps"
    if slow == fast:
        return [f"{text}, as did {second} (medians)."]
    return [f"{text}, {second} {slow:,.0f} (medians)."]


def memory(rows: Sequence[Row]) -> list[str]:
    """Say which optimizer state is smallest and largest."""
    sizes = [(row["optimizer_state_bytes"], row["optimizer"]) for row in rows]
    known = sorted((size, name) for size, name in sizes if math.isfinite(size))
    if len(known) < 2 or known[0][0] == known[-1][0]:
        return []
    (small, thrifty), (large, greedy) = known[0], known[-1]
    return [f"Optimizer state: {thrifty} {words.memory(small)}, {greedy} {words.memory(large)}."]


def metric_note(workload: WorkloadRuns, rows: Sequence[Row], column: str) -> list[str]:
    """Say why the verdict is not by the test split, where it is not."""
    if column == "test_metric" or not any(row["completed"] for row in rows):
        return []
    return [
        f"Not every completed run has a finite test {workload.metric}, so the verdict is by final "
        f"validation {workload.metric}: where that chose the settings, too, it is optimistic."
    ]


def picked_note(entries: Sequence[Entry]) -> list[str]:
    """Say where the reported seeds themselves chose the setting."""
    picked = [entry for entry in entries if entry.picked_from > 1]
    if not picked:
        return []
    how = words.listing([f"{entry.optimizer} {entry.picked_from}" for entry in picked])
    return [
        "The setting shown is the best of several by mean final validation loss, chosen on the "
        f"same seeds that are reported, so its figures are optimistic (settings run: {how})."
    ]


def margin_note(workload: WorkloadRuns, pairs: Sequence[Row], margin: float | None) -> list[str]:
    """Say what counts as equivalent, or that this was not tested."""
    if not any(pair["n_pairs"] > 1 for pair in pairs):
        return []
    if margin is None:
        return [
            f"Equivalence was not tested: no margin of {workload.metric or 'the metric'} was "
            "stated; --margin does."
        ]
    limit = words.size(margin, workload.metric)
    return [
        f"Equivalent means a difference within ±{limit}, shown by two one-sided tests, Holm over "
        "all pairs."
    ]


def wilcoxon_note(pairs: Sequence[Row]) -> list[str]:
    """Say where the signed-rank test could not have confirmed anything."""
    most = max((pair["n_pairs"] for pair in pairs), default=0)
    if most < 2:
        return []
    least = smallest_signed_rank(most)
    if least * len(pairs) <= ALPHA:
        return []
    over = f" over {words.count(len(pairs), 'pair')}" if len(pairs) > 1 else ""
    adjusted = f", {words.number(min(1.0, least * len(pairs)), 3)} after Holm{over}"
    return [
        f"Wilcoxon's test cannot go below p = {words.number(least, 3)} with {most} "
        f"{pairs[0]['unit']}s{adjusted if len(pairs) > 1 else ''}: it cannot be significant here, "
        "whatever the difference. Verdicts are by the t-test."
    ]


def uneven_note(pairs: Sequence[Row]) -> list[str]:
    """Say that some pairs have fewer units than others."""
    counts = [pair["n_pairs"] for pair in pairs]
    if not counts or min(counts) == max(counts):
        return []
    fewer = sum(count < max(counts) for count in counts)
    unit = pairs[0]["unit"]
    return [
        f"{fewer} of {words.count(len(counts), 'pair')} have fewer than {max(counts)} {unit}s in "
        f"common (least {min(counts)}): a {unit} counts where both completed it."
    ]


def target_note(workload: WorkloadRuns, target: Target, track: str) -> list[str]:
    """Say what the target is and where it comes from."""
    if target.value is None:
        if not target.reference:
            return []
        return [f"No target: {target.reference}, its reference, has no completed run here."]
    goal = f"Target: validation {workload.metric} {words.metric(target.value, workload.metric)}"
    where = " in the tuned track" if track == DEFAULTS else ""
    censored = (
        "Medians to it are Kaplan–Meier medians: a run that never reached it is censored, "
        "neither left out nor given a time."
    )
    if target.given:
        return [f"{goal}, as given. {censored}"]
    if target.reference:
        return [
            f"{goal}, the median of the best values of the final runs of "
            f"{target.reference}{where}. {censored}"
        ]
    return [
        f"{goal}, the median over optimizers of the median best value of their completed "
        f"runs{where} (of two in the middle the less demanding). {censored} --target sets another."
    ]


def time_note(rows: Sequence[Row]) -> list[str]:
    """Say where time and memory of runs that were trained in a stack come from, if from anywhere.

    Where they stand beside those of runs that were trained alone, that is said, too.
    """
    stacked = [row for row in rows if row["stacked"]]
    timed = [row for row in stacked if math.isfinite(row["timing_runs"])]
    notes: list[str] = []
    if timed:
        whose = "" if len(timed) == len(rows) else f" of {_names(timed)}"
        notes.append(
            f"Time, rate and memory{whose} were measured alone, {_repeats(timed)}: the runs "
            "compared were trained in a stack, and their seconds are their steps times the median "
            "seconds per step of those."
        )
    if lacking := [row for row in stacked if row not in timed]:
        notes.append(
            f"Of {_names(lacking)} there is no time and memory: runs were trained in a stack, and "
            "none was measured alone."
        )
    notes += [
        f"{row['optimizer']}: {row['stacked']} of {words.count(row['n'], 'run')} were trained in a "
        "stack; time, rate and memory of the others are their own."
        for row in stacked
        if row["stacked"] < row["n"]
    ]
    if stacked and (own := [row for row in rows if row["n"] and not row["stacked"]]):
        notes.append(f"Time, rate and memory of {_names(own)} are those of the runs compared.")
    return notes


def halving(rows: Sequence[Row]) -> list[str]:
    """Say what successive halving saved of each optimizer's tuning."""
    facts: list[str] = []
    for row in _halved(rows):
        counts = row["tuning_stopped"], row["tuning_trials"]
        sentence = Saved(*counts, row["tuning_steps_saved"]).sentence(row["optimizer"])
        facts.append(f"{sentence[0].upper()}{sentence[1:]}.")
    return facts


def halving_note(rows: Sequence[Row]) -> list[str]:
    """Say how far a winner that was found by successive halving can be trusted."""
    halved = _halved(rows)
    if not halved:
        return []
    notes = [
        f"Not all trials of {_names(halved)} were trained to the end: successive halving ranked "
        "them early. Under a learning rate that decays, a rank at an early epoch is not the rank "
        "at the end; settings that start slowly lose."
    ]
    whole = [row for row in rows if row.get("tuning_trials") and row not in halved]
    if whole:
        notes.append(
            f"No trial of {_names(whole)} was stopped early, so the tuning budgets may differ."
        )
    return notes


def _halved(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.get("tuning_stopped")]


def _names(rows: Sequence[Row]) -> str:
    return words.listing([row["optimizer"] for row in rows])


def _repeats(rows: Sequence[Row]) -> str:
    sizes = {
        row["optimizer"]: f"{words.count(row['timing_runs'], 'short run')} of "
        f"{words.count(row['timing_steps'], 'step')} each"
        for row in rows
    }
    if len(set(sizes.values())) == 1:
        return next(iter(sizes.values()))
    return words.listing([f"{name} by {size}" for name, size in sizes.items()])
