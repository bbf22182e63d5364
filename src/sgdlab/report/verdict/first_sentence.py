"""The first sentence of a report: who is better and by how much, or that this cannot be said."""

import math
from collections.abc import Sequence

from sgdlab.analysis import Result, words
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.pairs import STEPS_TO_TARGET
from sgdlab.analysis.result import Row
from sgdlab.analysis.statistics import ALPHA, EQUIVALENT, FIRST_BETTER, SECOND_BETTER, UNDECIDED
from sgdlab.analysis.units import REPLICATE
from sgdlab.report.verdict.phrases import interval, p_equals, part, size
from sgdlab.results import DEFAULTS


def first_sentence(result: Result) -> str:
    """Return the sentence that answers the question for a result, made from its tables alone."""
    where = " with default settings" if result.track == DEFAULTS else ""
    return f"On {result.workload.name}{where}, {_verdict(result)}"


def decided(result: Result) -> bool:
    """Whether there is a pair of contenders with at least two units to compare."""
    return len(result.alive) > 1 and max(pair["n_pairs"] for pair in result.primary) > 1


def _verdict(result: Result) -> str:
    rows, alive = result.rows, result.alive
    if not alive:
        return f"nothing can be compared: {_why_none(rows)}."
    if len(rows) == 1:
        return _single(result)
    if len(alive) == 1:
        others = words.listing([row["optimizer"] for row in rows if not row["completed"]])
        return (
            f"only {alive[0]['optimizer']} has completed runs ({_mean(result, alive[0])}); "
            f"nothing can be concluded against {others}."
        )
    if not decided(result):
        return _chance(result)
    if len(alive) > 2:
        return _many(result)
    names = {row["optimizer"] for row in alive}
    return _two(result, next(p for p in result.primary if {p["first"], p["second"]} == names))


def _why_none(rows: Sequence[Row]) -> str:
    total = sum(row["n"] for row in rows)
    if not total:
        return "there is no final run yet"
    counts = {s: sum(row[s] for row in rows) for s in ("diverged", "failed", "unfinished")}
    parts = [f"{count} {status}" for status, count in counts.items() if count]
    return f"none of {words.count(total, 'run')} completed ({', '.join(parts)})"


def _single(result: Result) -> str:
    (row,) = result.rows
    text = f"there is one optimizer only, {row['optimizer']}: {_mean(result, row)}"
    low, high = (row[f"{result.prefix}_ci_{end}"] for end in ("low", "high"))
    if math.isfinite(low):
        text += f" (95 % CI {interval(low, high, result.workload.metric)})"
    else:
        text += ", which says nothing about its spread"
    return f"{text}; nothing to compare it with."


def _chance(result: Result) -> str:
    """Say that too few units are shared to conclude anything, with the means of the best."""
    unit, metric, alive = result.unit, result.workload.metric, result.alive
    shared = "one" if any(pair["n_pairs"] for pair in result.primary) else "no"
    values = [f"{r['optimizer']} {words.metric(_value(result, r), metric)}" for r in alive[:5]]
    more = f", and {len(alive) - 5} more" if len(alive) > 5 else ""
    return (
        f"nothing can be concluded: the optimizers share {shared} {unit}, and a difference within "
        f"one {unit} may be chance. {result.metric_name.capitalize()}: {', '.join(values)}{more}."
    )


def _value(result: Result, row: Row) -> float:
    return float(row[f"{result.prefix}_mean"])


def _mean(result: Result, row: Row) -> str:
    """Return the mean of a contender, in words."""
    value = words.metric(_value(result, row), result.workload.metric)
    return f"mean {result.metric_name} {value} over {words.count(row['units'], row['unit'])}"


def _two(result: Result, pair: Row) -> str:
    """Return the verdict on two contenders, with what else tells them apart."""
    first, second, verdict = pair["first"], pair["second"], pair["verdict"]
    best, worst = (second, first) if verdict == SECOND_BETTER else (first, second)
    parts = [_gap(result, pair)]
    if verdict == UNDECIDED:
        head = f"{first} and {second} are not distinguishable"
        parts += _needed(pair)
    elif verdict == EQUIVALENT:
        limit = size(pair["margin"], result.workload.metric)
        head = f"{first} and {second} are equivalent within the margin of {limit}"
    else:
        head = f"{best} is better than {worst}"
        if lost_units(result, best):
            head += f" on the {result.unit}s that both completed"
    parts += [*_speed(result, first, second), *_memory(result, first, second)]
    return f"{head}: {'; '.join(parts)}."


def _gap(result: Result, pair: Row) -> str:
    """Return the difference with its interval, over what, and what the test says."""
    metric, many = result.workload.metric, len(result.primary)
    between = words.difference(pair["mean_difference"], metric)
    if math.isfinite(pair["ci_low"]):
        half = (pair["ci_high"] - pair["ci_low"]) / 2
        gap = words.difference(pair["mean_difference"], metric, unit=False)
        between = f"{gap} ± {size(half, metric)} (95 % CI)"
    holm = f"Holm over {words.count(many, 'pair')}, " if many > 1 else ""
    said = [pair["note"]] if pair["note"] else []
    if pair["verdict"] == EQUIVALENT:
        p = p_equals(pair["p_equivalence_adjusted"])
        said.insert(0, f"two one-sided tests, {holm}{p}")
    elif math.isfinite(pair["p_adjusted"]):
        said.insert(0, f"{holm}{p_equals(pair['p_adjusted'])}")
    text = (
        f"difference ({pair['first']} − {pair['second']}) {between} in mean {result.metric_name} "
        f"{_over(result, pair)}"
    )
    return f"{text} ({'; '.join(said)})" if said else text


def lost_units(result: Result, name: str) -> tuple[int, int] | None:
    """Return how many units of a contender did not complete, of how many; None where all did."""
    (row,) = (row for row in result.rows if row["optimizer"] == name)
    (entry,) = (entry for entry in result.entries if entry.optimizer == name)
    planned, done = len(entry.units), int(row["units"])
    return (planned - done, planned) if done < planned else None


def _over(result: Result, pair: Row) -> str:
    count = pair["n_pairs"]
    if result.unit != REPLICATE:
        return f"over {words.count(count, 'paired seed')}"
    both = [e for e in result.entries if e.optimizer in (pair["first"], pair["second"])]
    return f"over {words.count(count, 'replicate')}, each {_search_of(both)}"


def _search_of(entries: Sequence[Entry]) -> str:
    """Return what a replicate of some contenders is: trials of its search, and fresh seeds."""
    trials = {len(rows) for entry in entries for rows in entry.trials_of.values()}
    finals = {len(rows) for entry in entries for rows in entry.units.values() if rows}
    search = "an independent search"
    if len(trials) == 1:
        search += f" of {words.count(trials.pop(), 'trial')}"
    seeds = "a fresh seed" if finals == {1} else "fresh seeds"
    if len(finals) == 1 and finals != {1}:
        seeds = f"{finals.pop()} fresh seeds"
    return f"{search} and {seeds}"


_MOST_NEEDED = 10_000


def _needed(pair: Row) -> list[str]:
    """Say how many units would resolve the gap, where that is more than there are."""
    needed = pair["seeds_needed"]
    if not needed > pair["n_pairs"] or math.isinf(needed):
        return []
    many = f"more than {_MOST_NEEDED:,}" if needed > _MOST_NEEDED else f"about {needed:,.0f}"
    return [f"{many} {pair['unit']}s would be needed to resolve this gap"]


def _speed(result: Result, first: str, second: str) -> list[str]:
    """Say who reached the target in how many steps, where the medians of both are known.

    A ratio is a claim, and needs the verdict of the log-rank test; else the medians stand alone.
    """
    both = [row for name in (first, second) for row in result.rows if row["optimizer"] == name]
    steps = {r["optimizer"]: r.get("median_steps_to_target", math.nan) for r in both}
    if result.target.value is None or not all(math.isfinite(v) and v > 0 for v in steps.values()):
        return []
    times = [pair for pair in result.pairs if pair["metric"] == STEPS_TO_TARGET]
    tests = [pair for pair in times if {pair["first"], pair["second"]} == {first, second}]
    known = tests and math.isfinite(tests[0]["p_adjusted"])
    if steps[first] == steps[second] or not known:
        return []
    fast, slow = sorted(steps, key=lambda name: steps[name])
    share = part(steps[fast] / steps[slow], "the steps")
    metric, p = result.workload.metric, p_equals(tests[0]["p_adjusted"])
    goal = f"{words.metric(result.target.value, metric)} validation {metric}".strip()
    if tests[0]["verdict"] != UNDECIDED and share:
        return [f"{fast} reached {goal} in {share} ({p})"]
    shown = ", ".join(f"{name} {steps[name]:,.0f}" for name in (fast, slow))
    return [f"median steps to {goal}: {shown} (log-rank, {p})"]


def _memory(result: Result, first: str, second: str) -> list[str]:
    row = {row["optimizer"]: row for row in result.rows}
    sizes = {name: row[name]["optimizer_state_bytes"] for name in (first, second)}
    small, large = sorted(sizes, key=lambda name: sizes[name])
    if not all(map(math.isfinite, sizes.values())) or sizes[large] == 0:
        return []
    if sizes[small] == 0:
        return [f"{small} used no optimizer memory"]
    share = part(sizes[small] / sizes[large], "the optimizer memory")
    return [f"{small} used {share}"] if share else []


def _many(result: Result) -> str:
    """Return the verdict on three or more: the best, those level with it, and those beaten."""
    best, *others = result.alive
    name, names = best["optimizer"], [row["optimizer"] for row in others]
    stand = {other: _stands(result, name, other) for other in names}
    tied = [r["optimizer"] for r in others if _value(result, r) == _value(result, best)]
    who = f"{words.listing([name, *tied])} share" if tied else f"{name} has"
    text = f"{who} the best {_mean(result, best)}"
    if result.unit == REPLICATE:
        text += f", each {_search_of([e for e in result.entries if e.chosen])}"
    pairs = words.count(len(result.primary), "pair")
    return (
        f"{text}; {_standing(result, stand, name if tied else 'it')} "
        f"(paired t-tests, Holm over {pairs}, {ALPHA:g} level)."
    )


def _stands(result: Result, best: str, other: str) -> str:
    """Return ``better``, ``worse`` or a verdict without a winner: how the best mean stands."""
    pair = next(p for p in result.primary if {p["first"], p["second"]} == {best, other})
    if pair["verdict"] not in (FIRST_BETTER, SECOND_BETTER):
        return pair["verdict"]
    ahead = FIRST_BETTER if pair["first"] == best else SECOND_BETTER
    return "better" if pair["verdict"] == ahead else "worse"


def _standing(result: Result, stand: dict[str, str], who: str) -> str:
    if set(stand.values()) == {"better"}:
        return "it is better than every other"
    if set(stand.values()) == {UNDECIDED}:
        return "no other is distinguishable from it"
    within = f" within {size(result.margin, result.workload.metric)}"
    said = {
        "worse": ("worse than ", f" on the {result.unit}s that both completed"),
        UNDECIDED: ("not distinguishable from ", ""),
        EQUIVALENT: ("equivalent to ", within),
        "better": ("better than ", ""),
    }
    parts: list[str] = []
    for kind, (before, after) in said.items():
        names = [name for name, how in stand.items() if how == kind]
        some = words.listing(names) if len(names) <= 6 else f"{len(names)} others"
        parts += [f"{before}{some}{after}"] if names else []
    return f"{who} is {words.listing(parts)}"
