"""The verdict on a comparison that declared several questions: a clause for each of them."""

import math
from collections.abc import Sequence

from sgdlab.analysis import Result, words
from sgdlab.analysis.result import Row
from sgdlab.analysis.statistics import ALPHA, EQUIVALENT, FIRST_BETTER, SECOND_BETTER
from sgdlab.report.verdict.phrases import p_equals, tests_named

MOST_CLAUSES = 6
"""Questions that are answered one by one; of more those with a winner are named."""


def of_questions(result: Result) -> str:
    """Return how many of the declared questions find a difference."""
    found = sum(any(map(_winner, pairs)) for pairs in result.families.values())
    return f"{found} of {words.count(len(result.families), 'question')} find a difference"


def tests_of_questions(result: Result) -> str:
    """Return by what tests the questions are answered."""
    tests = tests_named(result.unit, result.design)
    if all(len(pairs) == 1 for pairs in result.families.values()):
        return f"{tests}, one pair a question, {ALPHA:g} level"
    return f"{tests}, Holm within each question, {ALPHA:g} level"


def by_question(result: Result) -> list[str]:
    """Return a line for each declared question; of many, one that names those with a winner."""
    families = result.families
    if len(families) <= MOST_CLAUSES:
        return [f"{question}: {_answer(result, pairs)}" for question, pairs in families.items()]
    decided = [q for q, pairs in families.items() if any(map(_winner, pairs))]
    more = len(decided) - MOST_CLAUSES
    named = words.listing(decided[:MOST_CLAUSES])
    if not named:
        return []
    return [f"A difference in: {named}" + (f" and {more} more" if more > 0 else "")]


def _winner(pair: Row) -> str:
    """Return the better one of a pair, empty where neither is called so."""
    return {FIRST_BETTER: pair["first"], SECOND_BETTER: pair["second"]}.get(pair["verdict"], "")


def _answer(result: Result, pairs: Sequence[Row]) -> str:
    said = [text for pair in pairs if (text := _said(result, pair))]
    if said:
        return " and ".join(said)
    names = list(dict.fromkeys(pair[side] for pair in pairs for side in ("first", "second")))
    if len(pairs) == 1:
        gap = words.difference(pairs[0]["mean_difference"], result.workload.metric)
        known = math.isfinite(p := pairs[0]["p_adjusted"])
        told = f"{gap}, {p_equals(p)}" if known else pairs[0]["note"] or gap
        return f"{words.listing(names)}: undecided ({told})"
    return f"{words.listing(names)}: undecided"


def _said(result: Result, pair: Row) -> str:
    """Return what is known of a pair; empty where it is undecided."""
    metric, p = result.workload.metric, p_equals(pair["p_adjusted"])
    if winner := _winner(pair):
        loser = pair["second"] if winner == pair["first"] else pair["first"]
        gap = words.difference(abs(pair["mean_difference"]), metric).lstrip("+")
        return f"{winner} is better than {loser} by {gap} ({p})"
    if pair["verdict"] == EQUIVALENT:
        p = p_equals(pair["p_equivalence_adjusted"])
        return f"{pair['first']} and {pair['second']} are equivalent ({p})"
    return ""
