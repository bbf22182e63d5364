"""Checks of the conclusion: do the numbers carry it?"""

import math
from collections.abc import Mapping
from typing import Any

from sgdlab.analysis import words
from sgdlab.analysis.audit.check import AuditFinding, Case, idle, passed, some, unknown, warned
from sgdlab.analysis.statistics import EQUIVALENT, FIRST_BETTER, UNDECIDED
from sgdlab.analysis.targets import completed, numbers

_CEILING = 0.999
"""Mean accuracy from which a workload is too easy to tell optimizers apart."""


def gap(case: Case) -> AuditFinding:
    """Differences exceed their uncertainty; where one does not, no winner can be named."""
    pairs = [pair for pair in case.pairs if pair.get("metric") == case.column]
    if len(case.entries) < 2:
        return case.only_one
    if not pairs:
        return unknown(f"no pair has {case.column}")
    open_pairs = [pair for pair in pairs if pair.get("verdict") == UNDECIDED]
    decided = f"{len(pairs) - len(open_pairs)} of {words.count(len(pairs), 'pair')} decided"
    if not open_pairs:
        return passed(f"{decided}: {some([_said(pair) for pair in pairs], '; ')}")
    told = some([_doubt(case, pair) for pair in open_pairs], "; ")
    return warned(f"no winner can be named: {told} ({decided})")


def _said(pair: Mapping[str, Any]) -> str:
    first, second, verdict = pair["first"], pair["second"], pair["verdict"]
    if verdict == EQUIVALENT:
        return f"{first} and {second} equivalent"
    best, other = (first, second) if verdict == FIRST_BETTER else (second, first)
    return f"{best} better than {other}"


def _doubt(case: Case, pair: Mapping[str, Any]) -> str:
    keys = "mean_difference", "ci_low", "ci_high", "seeds_needed"
    mean, low, high, needed = (float(pair.get(key, math.nan)) for key in keys)
    text = f"{pair['first']} − {pair['second']}"
    half = (high - low) / 2
    if math.isnan(mean):
        return f"{text} not measured ({pair.get('note') or 'no common unit'})"
    text = f"{text} {words.difference(mean, case.name_of(case.column))}"
    if math.isnan(half):
        return f"{text} ({pair.get('note') or 'spread unknown'})"
    text = f"{text} ± {words.difference(half, case.workload.metric).lstrip('+')}"
    if abs(mean) >= half:
        text += " (not significant after Holm's adjustment for all pairs)"
    if math.isfinite(needed):
        text += f", would need about {needed:,.0f} units"
    return text


def ceiling(case: Case) -> AuditFinding:
    """The workload is hard enough: at the top of a metric optimizers cannot differ."""
    if case.workload.metric != "accuracy":
        return idle(f"{case.workload.metric or 'the metric'} has no ceiling that could be reached")
    means: dict[str, float] = {}
    for entry in case.entries:
        values = numbers(case.runs, completed(case.runs, entry.chosen), case.column)
        values = [value for value in values if not math.isnan(value)]
        if values:
            means[entry.optimizer] = sum(values) / len(values)
    if not means:
        return unknown("no run has completed")
    high = [name for name, mean in means.items() if mean >= _CEILING]
    told = some([f"{name} {words.metric(mean, 'accuracy')}" for name, mean in means.items()])
    if len(high) > 1:
        return warned(f"too easy to tell optimizers apart, mean accuracy: {told}")
    return passed(f"mean accuracy {told}")
