"""The verdict on an ablation: which ingredients of a recipe earn their place."""

import math

from sgdlab.analysis import Result, words
from sgdlab.analysis.statistics import EQUIVALENT, UNDECIDED
from sgdlab.report.verdict.phrases import p_equals
from sgdlab.report.verdict.standing import BETTER, WORSE, stands_to
from sgdlab.results.ablation import FULL, NONE, variant_alone, without

EARNS, HARMS, NO_MATTER, OPEN = "earns its place", "does harm", "does not matter", "undecided"
"""What can be said of an ingredient."""

_SAID = {BETTER: EARNS, WORSE: HARMS, EQUIVALENT: NO_MATTER, UNDECIDED: OPEN}


def verdict_on(result: Result, ingredient: str) -> tuple[str, str]:
    """Return what is said of an ingredient left out of the recipe, and of it alone.

    Either is empty where no pair of runs tells it.
    """
    alone = variant_alone(ingredient, result.workload.ingredients)
    return (
        _said(result, FULL, without(ingredient)),
        "" if alone is None else _said(result, alone, NONE),
    )


def _said(result: Result, more: str, less: str) -> str:
    if not result.asks(more, less):
        return ""
    return _SAID[stands_to(result, more, less)]


def by_ingredient(result: Result) -> list[str]:
    """Return a line for each ingredient: what it gains in the recipe, and alone."""
    lines: list[str] = []
    for name in result.workload.ingredients:
        said, beside = verdict_on(result, name)
        alone = variant_alone(name, result.workload.ingredients)
        parts = [f"{said}, {_gain(result, FULL, without(name))}"] if said else []
        if alone is not None and beside:
            parts.append(f"alone {_gain(result, alone, NONE)}, {beside}")
        lines += [f"{name}: {'; '.join(parts)}"] if parts else []
    return lines


def _gain(result: Result, more: str, less: str) -> str:
    pair = result.pair(more, less)
    sign = 1 if pair["first"] == more else -1
    gap = words.difference(sign * pair["mean_difference"], result.workload.metric)
    p = pair["p_adjusted"]
    return f"{gap} ({p_equals(p)})" if math.isfinite(p) else gap


def of_ablation(result: Result) -> str:
    """Return which ingredients earn their place, and how many do harm or are not decided."""
    of = {name: verdict_on(result, name)[0] for name in result.workload.ingredients}
    clauses: list[str] = []
    earn = [name for name, said in of.items() if said == EARNS]
    if earn:
        verb = "earns its" if len(earn) == 1 else "earn their"
        clauses.append(f"{words.listing(earn)} {verb} place")
    for said, verb in ((HARMS, "harmful"), (NO_MATTER, "of no matter"), (OPEN, "undecided")):
        names = [name for name, found in of.items() if found == said]
        if names:
            clauses.append(f"{verb}: {words.listing(names)}")
    return "; ".join(clauses) or "nothing can be said of any ingredient"
