"""Notes beside the verdict: what a reader has to know to read the tables right."""

import math
from collections.abc import Sequence

from sgdlab.analysis import Result, words
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.questions import describe_pooled
from sgdlab.analysis.result import Row
from sgdlab.analysis.statistics import ALPHA, FIXED, PLANNED, smallest_signed_rank
from sgdlab.analysis.units import RUN
from sgdlab.checks import is_number
from sgdlab.report.verdict.facts import halved
from sgdlab.report.verdict.phrases import size
from sgdlab.results import APART


def notes(result: Result) -> list[str]:
    """Return what a reader has to know to read the tables right."""
    return [
        *_by_validation(result),
        *_picked(result.entries),
        *_pooled(result),
        *_questions(result),
        *_looks(result),
        *_margin(result),
        *_wilcoxon(result),
        *_uneven(result.primary),
        *_target(result),
        *_times(result.rows),
        *_halving(result.rows),
        *(note for entry in result.entries for note in entry.notes),
    ]


def _by_validation(result: Result) -> list[str]:
    """Say why the verdict is not by the test split, where it is not."""
    metric = result.workload.metric
    if result.column == "test_metric" or not result.alive or result.workload.logged:
        return []
    tested = any(is_number(row["test_metric_mean"]) for row in result.alive)
    why = (
        f"Not every completed run has a finite test {metric}"
        if tested
        else ("The test split was not evaluated")
    )
    return [
        f"{why}, so the verdict is by final validation {metric}: where that chose the settings, "
        "too, it is optimistic."
    ]


def _picked(entries: Sequence[Entry]) -> list[str]:
    """Say where the reported seeds themselves chose the setting."""
    picked = [entry for entry in entries if entry.picked_from > 1]
    if not picked:
        return []
    how = words.listing([f"{entry.optimizer} {entry.picked_from}" for entry in picked])
    return [
        "The setting shown is the best of several by mean final validation loss, chosen on the "
        f"same seeds that are reported, so its figures are optimistic (settings run: {how})."
    ]


def _margin(result: Result) -> list[str]:
    """Say what counts as equivalent, or that this was not tested."""
    metric = result.workload.metric
    if not any(pair["n_pairs"] > 1 for pair in result.primary):
        return []
    if result.margin is None:
        return [
            f"Equivalence was not tested: no margin of {metric or 'the metric'} was stated; "
            "--margin does."
        ]
    limit = size(result.margin, metric)
    return [
        f"Equivalent means a difference within ±{limit}, shown by two one-sided tests, Holm over "
        f"{'the pairs of a question' if len(result.families) > 1 else 'all pairs'}."
    ]


def _pooled(result: Result) -> list[str]:
    """Say which settings stand behind each value compared."""
    said = describe_pooled(result.workload)
    return [said] if said else []


def _questions(result: Result) -> list[str]:
    """Say that pairs are adjusted by question, where several were declared."""
    families = result.families
    if len(families) < 2:
        return []
    sizes = sorted({len(pairs) for pairs in families.values()})
    each = " or ".join(map(str, sizes))
    return [
        f"{len(families)} questions were declared; p-values are adjusted by Holm within each "
        f"({each} {'pair' if sizes == [1] else 'pairs'}), not over all of them together. Pairs "
        "that differ in more than one thing are in pairwise.csv, and are not judged."
    ]


def _looks(result: Result) -> list[str]:
    """Say how the error rate is kept over several looks."""
    if not result.primary or result.design == FIXED:
        return []
    made = result.primary[0]["looks"]
    rest = "Wilcoxon's test has no p-value over several looks; those of times are not corrected."
    if result.design == PLANNED:
        return [
            f"The verdict was looked at {words.count(made, 'time')}, as planned before the first: "
            "p-values are the least level of a group-sequential test (Lan–DeMets, O'Brien–Fleming "
            f"shape) at which a look so far decides, intervals are repeated ones. {rest}"
        ]
    known = math.isfinite(made)
    again = (
        f"This is look {made:.0f} at this study, and was not planned. The first was judged as the "
        "only one, which it was not to be: the errors of both together are in "
        "docs/comparisons.md. "
        if known
        else ""
    )
    return [
        f"{again}p-values and intervals are those of a confidence sequence (Lai 1976; Wang & "
        "Ramdas 2024): they hold however often one looks, and whenever one stops, and decide "
        f"nothing with fewer than 5 units. {rest}"
    ]


def _wilcoxon(result: Result) -> list[str]:
    """Say where the signed-rank test could not have confirmed anything."""
    pairs = min(result.families.values(), key=len, default=[])
    most = max((pair["n_pairs"] for pair in pairs), default=0)
    if most < 2 or result.unit == RUN or result.design != FIXED:
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


def _uneven(pairs: Sequence[Row]) -> list[str]:
    """Say that some pairs have fewer units than others."""
    counts = [pair["n_pairs"] for pair in pairs]
    if not counts or min(counts) == max(counts) or pairs[0]["unit"] == RUN:
        return []
    fewer = sum(count < max(counts) for count in counts)
    unit = pairs[0]["unit"]
    return [
        f"{fewer} of {words.count(len(counts), 'pair')} have fewer than {max(counts)} {unit}s in "
        f"common (least {min(counts)}): a {unit} counts where both completed it."
    ]


def _target(result: Result) -> list[str]:
    """Say what the target is and where it comes from."""
    target, metric = result.target, result.workload.metric
    if target.value is None:
        if not target.reference:
            return []
        return [f"No target: {target.reference}, its reference, has no completed run here."]
    goal = f"Target: {result.evaluated} {words.metric(target.value, metric)}"
    where = " in the tuned track" if result.track in APART else ""
    censored = (
        "Medians to it are Kaplan–Meier medians: a run that never reached it is censored, "
        "neither left out nor given a time."
    )
    if target.given:
        by = f"fixed beforehand by another study ({target.origin})" if target.origin else "as given"
        return [f"{goal}, {by}. {censored}"]
    if target.reference:
        return [
            f"{goal}, the median of the best values of the final runs of "
            f"{target.reference}{where}. {censored}"
        ]
    return [
        f"{goal}, the median over {result.noun}s of the median best value of their completed "
        f"runs{where} (of two in the middle the less demanding). {censored} --target sets another."
    ]


def _times(rows: Sequence[Row]) -> list[str]:
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


def _repeats(rows: Sequence[Row]) -> str:
    sizes = {
        row["optimizer"]: f"{words.count(row['timing_runs'], 'short run')} of "
        f"{words.count(row['timing_steps'], 'step')} each"
        for row in rows
    }
    if len(set(sizes.values())) == 1:
        return next(iter(sizes.values()))
    return words.listing([f"{name} by {size}" for name, size in sizes.items()])


def _halving(rows: Sequence[Row]) -> list[str]:
    """Say how far a winner that was found by successive halving can be trusted."""
    early = halved(rows)
    if not early:
        return []
    notes = [
        f"Not all trials of {_names(early)} were trained to the end: successive halving ranked "
        "them early. Under a learning rate that decays, a rank at an early epoch is not the rank "
        "at the end; settings that start slowly lose."
    ]
    whole = [row for row in rows if row.get("tuning_trials") and row not in early]
    if whole:
        notes.append(
            f"No trial of {_names(whole)} was stopped early, so the tuning budgets may differ."
        )
    return notes


def _names(rows: Sequence[Row]) -> str:
    return words.listing([row["optimizer"] for row in rows])
