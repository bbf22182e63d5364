"""The headline of an answer: who is better, equivalent, or undecided, in twelve words."""

from sgdlab.analysis import Result, words
from sgdlab.analysis.result import Row
from sgdlab.analysis.statistics import EQUIVALENT, SECOND_BETTER, UNDECIDED
from sgdlab.report.verdict.ablated import of_ablation
from sgdlab.report.verdict.claimed import of_baseline, of_claims
from sgdlab.report.verdict.phrases import size
from sgdlab.report.verdict.questions import of_questions
from sgdlab.report.verdict.standing import BETTER, WORSE, decided, lost_units, stands, tied

_NAMED = 4
"""Contenders that a headline names; of more it says how many they are."""


def headline(result: Result) -> str:
    """Return what the numbers of a result come to, in at most twelve words besides names."""
    rows, alive = result.rows, result.alive
    if not alive:
        return "nothing can be compared"
    if result.claims:
        return of_claims(result)
    if len(rows) == 1:
        return f"one {result.noun} only: {rows[0]['optimizer']}"
    if len(alive) == 1:
        return f"only {alive[0]['optimizer']} has completed runs"
    if not decided(result):
        return f"too few {result.unit}s to conclude anything"
    if result.workload.baseline:
        return of_baseline(result)
    if result.workload.ingredients:
        return of_ablation(result)
    if len(result.families) > 1:
        return of_questions(result)
    return _two(result) if len(alive) == 2 else _many(result)


def _two(result: Result) -> str:
    pair = result.pair(*(row["optimizer"] for row in result.alive))
    first, second, verdict = pair["first"], pair["second"], pair["verdict"]
    if verdict == UNDECIDED:
        return f"{first} and {second}: undecided"
    if verdict == EQUIVALENT:
        return f"{first} and {second}: equivalent{within(result, pair['margin'])}"
    best, worst = (second, first) if verdict == SECOND_BETTER else (first, second)
    where = " where both completed" if lost_units(result, best) else ""
    return f"{best} is better than {worst}{where}"


def within(result: Result, margin: float | None) -> str:
    """Return ``within 1 point``; empty where no margin was stated, as all values are equal."""
    return "" if margin is None else f" within {size(margin, result.workload.metric)}"


def _many(result: Result) -> str:
    best, *others = result.alive
    name, stand = best["optimizer"], stands(result)
    if same := tied(result):
        return f"{_some([name, *same])} share the best mean"
    if EQUIVALENT in stand.values() and set(stand.values()) == {EQUIVALENT}:
        return f"{_all(result.alive)}: equivalent{within(result, result.margin)}"
    if set(stand.values()) <= {UNDECIDED, EQUIVALENT}:
        return f"{_all(result.alive)}: undecided"
    if WORSE in stand.values():
        beaten = [other for other, how in stand.items() if how == WORSE]
        return f"{name} leads, but loses to {_some(beaten)} where both completed"
    ahead = sum(how == BETTER for how in stand.values())
    if ahead == len(others):
        return f"{name} is better than {'both' if ahead == 2 else f'all {ahead}'} others"
    return f"{name} leads; better than {ahead} of {len(others)} others"


def _some(names: list[str]) -> str:
    if len(names) <= _NAMED:
        return words.listing(names)
    return f"{names[0]} and {len(names) - 1} others"


def _all(rows: list[Row]) -> str:
    return _some([row["optimizer"] for row in rows])
