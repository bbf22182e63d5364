"""The short lines under an answer: standing, speed to the target, and memory."""

import math

from sgdlab.analysis import Result, words
from sgdlab.analysis.pairs import STEPS_TO_TARGET
from sgdlab.analysis.statistics import UNDECIDED
from sgdlab.report.verdict.ablated import by_ingredient
from sgdlab.report.verdict.claimed import by_attempts, by_baseline, by_claim
from sgdlab.report.verdict.measured import standing
from sgdlab.report.verdict.phrases import p_equals, part
from sgdlab.report.verdict.questions import by_question
from sgdlab.report.verdict.standing import decided


def quick_facts(result: Result) -> list[str]:
    """Return the facts that a reader wants beside the difference, a short line each."""
    return [*_claims(result), *_standing(result), *_speed(result), *_memory(result)]


def _claims(result: Result) -> list[str]:
    """Say of each claim whether it holds, and what the best of several attempts shows by luck."""
    if not result.alive:
        return []
    lines = by_claim(result)
    attempted = result.workload.attempts > 1 and len(result.alive) == 2
    if result.workload.baseline and (len(result.alive) > 2 or attempted):
        lines += by_baseline(result)
    elif attempted and not result.claims:
        lines += by_attempts(result)
    return lines


def _standing(result: Result) -> list[str]:
    if not decided(result) or result.workload.baseline:
        return []
    if result.workload.ingredients:
        return by_ingredient(result)
    if len(result.families) > 1:
        return by_question(result)
    return [f"Standing: {standing(result)}"] if len(result.alive) > 2 else []


def _speed(result: Result) -> list[str]:
    """Say who reached the target in how many steps, by medians.

    A ratio is a claim, and needs the verdict of the log-rank test; else the medians stand alone.
    """
    target, metric = result.target.value, result.workload.metric
    # Steps of unlike batches are no common measure.
    unit = "examples" if {"batch_size", "accumulate"} & set(result.workload.by) else "steps"
    steps = {r["optimizer"]: r.get(f"median_{unit}_to_target", math.nan) for r in result.alive}
    there = sorted(
        (n for n, v in steps.items() if math.isfinite(v) and v > 0), key=steps.__getitem__
    )
    if target is None or not there or len(steps) < 2:
        return []
    goal = f"{words.metric(target, metric)} {result.evaluated}".strip()
    fast, *others = there
    if not others:
        rest = (
            f"{next(n for n in steps if n != fast)} did not" if len(steps) == 2 else "no other did"
        )
        return [f"Speed: {fast} reached {goal} in {steps[fast]:,.0f} {unit}, {rest} (medians)"]
    slow = others[0]
    times = [pair for pair in result.pairs if pair["metric"] == STEPS_TO_TARGET]
    tests = (pair for pair in times if {pair["first"], pair["second"]} == {fast, slow})
    test = next(tests, None) if unit == "steps" else None
    tested = test is not None and math.isfinite(test["p_adjusted"])
    said = f", log-rank {p_equals(test['p_adjusted'])}" if test is not None and tested else ""
    share = part(steps[fast] / steps[slow], f"the {unit}")
    if test is not None and tested and test["verdict"] != UNDECIDED and share:
        return [f"Speed: {fast} reached {goal} in {share} of {slow} (medians{said})"]
    other = f"as did {slow}" if steps[fast] == steps[slow] else f"{slow} {steps[slow]:,.0f}"
    return [f"Speed: {fast} took {steps[fast]:,.0f} {unit} to {goal}, {other} (medians{said})"]


def _memory(result: Result) -> list[str]:
    """Say whose optimizer state is smallest and whose is largest."""
    sizes = {r["optimizer"]: r["optimizer_state_bytes"] for r in result.rows}
    known = sorted((n for n, v in sizes.items() if math.isfinite(v)), key=sizes.__getitem__)
    if len(known) < 2 or sizes[known[0]] == sizes[known[-1]]:
        return []
    small, large = known[0], known[-1]
    return [
        f"Memory: optimizer state {small} {words.memory(sizes[small])}, "
        f"{large} {words.memory(sizes[large])}"
    ]
