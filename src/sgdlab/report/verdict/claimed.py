"""The verdict on claims: to be better than a baseline, or to reach a fixed target."""

import math

from sgdlab.analysis import Result, words
from sgdlab.analysis.result import Row
from sgdlab.analysis.statistics import (
    ANYTIME,
    EQUIVALENT,
    HOLDS,
    REFUTED,
    UNDECIDED,
    TargetClaim,
)
from sgdlab.report.verdict.phrases import p_equals, tests_named
from sgdlab.report.verdict.standing import BETTER, WORSE, decided, stands, stands_to

MOST_LINES = 12
"""Claims that have a line each; the table has all."""


def decision(result: Result) -> str:
    """Return what a result decides: ``holds``, ``refuted`` or ``undecided``.

    Of claims, all must hold; one that is refuted refutes, unless another is undecided. A claim to
    be better is refuted by a verdict for the baseline, or of equivalence. Without any claim a
    verdict on the best mean and every other contender ``holds``.
    """
    found = [claim.verdict for claim in result.claims]
    if result.workload.baseline:
        told = {BETTER: HOLDS, UNDECIDED: UNDECIDED}
        found += [told.get(how, REFUTED) for how in against(result).values()] or [UNDECIDED]
    if not found:
        open_ones = not decided(result) or UNDECIDED in stands(result).values()
        return UNDECIDED if open_ones else HOLDS
    return next((v for v in (UNDECIDED, REFUTED) if v in found), HOLDS)


def against(result: Result) -> dict[str, str]:
    """Return how every other contender stands to the baseline, in the words of `stands`."""
    baseline = result.workload.baseline
    names = [row["optimizer"] for row in result.rows if row["optimizer"] != baseline]
    return {name: stands_to(result, name, baseline) for name in names}


def of_baseline(result: Result) -> str:
    """Return who is better than the baseline, in a headline."""
    baseline, found = result.workload.baseline, against(result)
    if len(found) == 1:
        ((name, how),) = found.items()
        said = {
            BETTER: "is better than",
            WORSE: "is worse than",
            EQUIVALENT: "is equivalent to",
        }.get(how, "is not shown to be better than")
        return f"{name} {said} {baseline}"
    better = [name for name, how in found.items() if how == BETTER]
    if not better:
        return f"none of {len(found)} is shown to be better than {baseline}"
    some = words.listing(better) if len(better) < 5 else f"{better[0]} and {len(better) - 1} others"
    verb = "is" if len(better) == 1 else "are"
    return f"{some} {verb} better than {baseline} ({len(better)} of {len(found)})"


def tests_of_baseline(result: Result) -> str:
    """Return by what tests contenders are compared with the baseline."""
    many = words.count(len(result.primary), "pair")
    test = tests_named(result.unit, result.design)
    return f"{result.metric_name}: {test}, Holm over {many}{_corrected(result)}"


def by_baseline(result: Result) -> list[str]:
    """Return a line for each contender: its difference from the baseline."""
    metric, baseline = result.workload.metric, result.workload.baseline
    lines: list[str] = []
    for name, how in against(result).items():
        if not result.asks(name, baseline):
            continue
        pair = result.pair(name, baseline)
        sign = 1 if pair["first"] == name else -1
        gap = words.difference(sign * pair["mean_difference"], metric)
        known = p_equals(pair["p_adjusted"]) if math.isfinite(pair["p_adjusted"]) else pair["note"]
        lines.append(f"{name} − {baseline} = {gap} ({known}): {how}{_by_chance(pair, metric)}")
    return _some(lines)


def _by_chance(pair: Row, metric: str) -> str:
    """Return what the best of so many attempts shows without an effect; empty for one attempt."""
    chance = pair.get("by_chance", math.nan)
    if not math.isfinite(chance):
        return ""
    size = words.difference(chance, metric).lstrip("+")
    return f"; the best of {pair['attempts']:,} without any effect is expected {size} ahead"


def by_attempts(result: Result) -> list[str]:
    """Return what the best of so many attempts shows without an effect, beside each difference."""
    metric = result.workload.metric
    lines = [
        f"{pair['first']} − {pair['second']} = {words.difference(pair['mean_difference'], metric)}"
        f"{_by_chance(pair, metric)}"
        for pair in result.primary
        if math.isfinite(pair.get("by_chance", math.nan))
    ]
    return _some(lines)


def of_claims(result: Result) -> str:
    """Return how many claims hold, in a headline."""
    claims = result.claims
    holds = [claim for claim in claims if claim.verdict == HOLDS]
    goal = words.metric(result.goal, result.workload.metric)
    if len(claims) == 1:
        said = {HOLDS: "reaches", REFUTED: "misses"}.get(claims[0].verdict)
        said = said or "is not shown to reach"
        return f"{claims[0].name} {said} {goal}"
    if not holds:
        return f"none of {len(claims)} is shown to reach {goal}"
    lucky = sum(claim.verdict == UNDECIDED for claim in claims)
    rest = f", {lucky} may be luck" if lucky else ""
    return f"{len(holds)} of {len(claims)} claims to reach {goal} hold{rest}"


def tests_of_claims(result: Result) -> str:
    """Return by what tests the claims are judged."""
    known = result.sigma is not None
    test = f"z-tests (σ = {words.number(result.sigma)} stated)" if known else "t-tests"
    many = words.count(len(result.claims), "claim")
    if result.design == ANYTIME:
        test += ", valid at any time"
    return f"{result.metric_name}: one-sided {test}, Holm over {many}{_corrected(result)}"


def _corrected(result: Result) -> str:
    attempts = result.workload.attempts
    return f", each the best of {attempts:,} attempts (Šidák)" if attempts > 1 else ""


def by_claim(result: Result) -> list[str]:
    """Return a line for each claim."""
    return _some([claim_line(result, claim) for claim in result.claims])


def claim_line(result: Result, claim: TargetClaim) -> str:
    """Return a claim in a line: its mean, its test, and whether its best run alone reaches it."""
    metric, target = result.workload.metric, result.goal
    if not claim.n:
        return f"{claim.name}: {claim.note}"
    mean = fine(claim.mean, claim, metric)
    known = p_equals(claim.p_adjusted) if math.isfinite(claim.p_adjusted) else claim.note
    text = f"{claim.name}: mean {mean} of {words.count(claim.n, 'run')} ({known}): {claim.verdict}"
    if claim.ahead > 0 and math.isfinite(claim.by_chance):
        chance = words.difference(claim.by_chance, metric).lstrip("+")
        text += (
            f"; {words.difference(claim.ahead, metric)} ahead, the best of "
            f"{result.workload.attempts:,} that just reach it is expected {chance} ahead"
        )
    if target is not None and claim.verdict != HOLDS and _reaches(result, claim.best, target):
        text += f"; its best run, {fine(claim.best, claim, metric)}, reaches it"
    return text


def fine(value: float, claim: TargetClaim, metric: str) -> str:
    """Return a value of a claim with as many digits as tell it from the target."""
    step = claim.sd if claim.sd > 0 else abs(claim.ahead)
    if metric == "accuracy" or not math.isfinite(value) or not step > 0 or value == 0:
        return words.metric(value, metric)
    digits = math.floor(math.log10(abs(value))) - math.floor(math.log10(step)) + 2
    return words.number(value, min(max(digits, 4), 12))


def _reaches(result: Result, value: float, target: float) -> bool:
    return value >= target if result.workload.maximise else value <= target


def _some(lines: list[str]) -> list[str]:
    more = len(lines) - MOST_LINES
    return [*lines[:MOST_LINES], f"and {more} more, in the table"] if more > 0 else lines
