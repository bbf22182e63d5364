"""The line under a headline: the number that it stands on, with its interval and its test."""

import math
from collections.abc import Mapping

from sgdlab.analysis import Result, words
from sgdlab.analysis.result import Row
from sgdlab.analysis.statistics import EQUIVALENT, UNDECIDED
from sgdlab.report.verdict.claimed import tests_of_baseline, tests_of_claims
from sgdlab.report.verdict.headline import within
from sgdlab.report.verdict.phrases import interval, p_equals
from sgdlab.report.verdict.questions import tests_of_questions
from sgdlab.report.verdict.standing import BETTER, WORSE, decided, mean_of, stands


def measured(result: Result) -> str:
    """Return the difference of the first two with its interval, or the means there are."""
    alive = result.alive
    if not alive:
        return _why_none(result)
    if result.claims:
        return tests_of_claims(result)
    if len(alive) == 1:
        return _single(result)
    if not decided(result):
        return _chance(result)
    if result.workload.baseline and len(alive) > 2:
        return tests_of_baseline(result)
    if len(result.families) > 1:
        return f"{result.metric_name}: {tests_of_questions(result)}"
    return difference(result, result.pair(*(row["optimizer"] for row in alive[:2])))


def difference(result: Result, pair: Row) -> str:
    """Return a difference with its interval and what the test says of it."""
    metric, many = result.workload.metric, len(result.primary)
    value = words.difference(pair["mean_difference"], metric)
    said: list[str] = []
    if math.isfinite(pair["ci_low"]):
        ends = (words.difference(pair[f"ci_{end}"], metric, unit=False) for end in ("low", "high"))
        alone = " for this pair alone" if many > 1 else ""
        said.append(f"95 % CI {' to '.join(ends)}{alone}")
    holm = f", Holm over {words.count(many, 'pair')}" if many > 1 else ""
    if pair["verdict"] == EQUIVALENT and math.isfinite(pair["p_equivalence_adjusted"]):
        p = p_equals(pair["p_equivalence_adjusted"])
        said.append(f"two one-sided tests, as with a 90 % CI, {p}{holm}")
    elif math.isfinite(pair["p_adjusted"]):
        said.append(f"{p_equals(pair['p_adjusted'])}{holm}")
    if pair["note"]:
        said.append(pair["note"])
    text = f"{result.metric_name}: {pair['first']} − {pair['second']} = {value}"
    return f"{text} ({'; '.join(said)})" if said else text


def _why_none(result: Result) -> str:
    total = sum(row["n"] for row in result.rows)
    if not total:
        return "there is no final run yet"
    counts = {s: sum(row[s] for row in result.rows) for s in ("diverged", "failed", "unfinished")}
    parts = [f"{count} {status}" for status, count in counts.items() if count]
    return f"none of {words.count(total, 'run')} completed ({', '.join(parts)})"


def _single(result: Result) -> str:
    """Return the mean of the only contender with a completed run, and its interval."""
    (row,) = result.alive
    value = words.metric(mean_of(result, row), result.workload.metric)
    text = f"{result.metric_name}: {value}, mean of {words.count(row['units'], row['unit'])}"
    low, high = (row[f"{result.prefix}_ci_{end}"] for end in ("low", "high"))
    if not math.isfinite(low):
        return f"{text}, which says nothing about its spread"
    return f"{text} (95 % CI {interval(low, high, result.workload.metric)})"


def _chance(result: Result) -> str:
    """Return the means of the best, which too few units share for any conclusion."""
    shared = "one" if any(pair["n_pairs"] for pair in result.primary) else "no"
    metric, alive = result.workload.metric, result.alive
    values = [f"{r['optimizer']} {words.metric(mean_of(result, r), metric)}" for r in alive[:5]]
    more = f", and {len(alive) - 5} more" if len(alive) > 5 else ""
    return (
        f"{result.metric_name}: {', '.join(values)}{more}; they share {shared} {result.unit}, so a "
        "difference may be chance"
    )


def standing(result: Result) -> str:
    """Return how the best of three or more stands to each of the others."""
    stand = stands(result)
    groups: Mapping[str, tuple[str, str]] = {
        BETTER: ("better than", ""),
        UNDECIDED: ("undecided against", ""),
        EQUIVALENT: ("equivalent to", within(result, result.margin)),
        WORSE: ("worse than", f" on the {result.unit}s that both completed"),
    }
    parts: list[str] = []
    for kind, (before, after) in groups.items():
        if names := [name for name, how in stand.items() if how == kind]:
            some = words.listing(names) if len(names) <= 6 else f"{len(names)} others"
            parts.append(f"{before} {some}{after}")
    return f"{result.alive[0]['optimizer']} is {words.listing(parts)}"
