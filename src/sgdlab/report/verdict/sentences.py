"""The parts of a verdict: who is better and by how much, over what, and what it is about."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sgdlab.analysis import words
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.statistics import (
    ALPHA,
    EQUIVALENT,
    FIRST_BETTER,
    SECOND_BETTER,
    UNDECIDED,
)
from sgdlab.analysis.targets import Target
from sgdlab.analysis.units import REPLICATE
from sgdlab.analysis.workloads import WorkloadRuns
from sgdlab.results import DEFAULTS

Row = dict[str, Any]


@dataclass(frozen=True)
class VerdictInputs:
    """What a verdict is made from; ``pairs`` are of its metric, ``times`` of steps to target."""

    workload: WorkloadRuns
    track: str
    entries: list[Entry]
    rows: list[Row]
    pairs: list[Row]
    column: str
    target: Target
    margin: float | None
    times: list[Row] = field(default_factory=list[Row])

    @property
    def alive(self) -> list[Row]:
        """Rows of the contenders with a completed run."""
        return [row for row in self.rows if row["completed"]]

    @property
    def unit(self) -> str:
        """What a pair is of, ``replicate`` or ``seed``."""
        return self.pairs[0]["unit"] if self.pairs else self.entries[0].unit

    @property
    def prefix(self) -> str:
        """How the columns of the verdict's metric begin in ``comparison.csv``."""
        return "test_metric" if self.column == "test_metric" else "val_metric"

    @property
    def name(self) -> str:
        """What the verdict is about, in words."""
        return metric_name(self.workload, self.column)


def metric_name(workload: WorkloadRuns, column: str) -> str:
    """Return what a column measures, in words: ``test accuracy``."""
    return f"{'test' if column == 'test_metric' else 'final validation'} {workload.metric}".strip()


def mean(scene: VerdictInputs, row: Row) -> str:
    """Return the mean of a contender, in words."""
    value = words.metric(row[f"{scene.prefix}_mean"], scene.workload.metric)
    return f"mean {scene.name} {value} over {words.count(row['units'], row['unit'])}"


def means(scene: VerdictInputs) -> str:
    """Return the means of the best contenders as a sentence."""
    alive, metric = scene.alive, scene.workload.metric
    values = [
        f"{row['optimizer']} {words.metric(row[f'{scene.prefix}_mean'], metric)}"
        for row in alive[:5]
    ]
    more = f", and {len(alive) - 5} more" if len(alive) > 5 else ""
    return f"{scene.name.capitalize()}: {', '.join(values)}{more}."


def two(scene: VerdictInputs, pair: Row) -> str:
    """Return the verdict on two contenders, with what else tells them apart."""
    first, second, verdict = pair["first"], pair["second"], pair["verdict"]
    best, worst = (second, first) if verdict == SECOND_BETTER else (first, second)
    parts = [_gap(scene, pair)]
    if verdict == UNDECIDED:
        head = f"{first} and {second} are not distinguishable"
        parts += _needed(pair)
    elif verdict == EQUIVALENT:
        limit = words.size(pair["margin"], scene.workload.metric)
        head = f"{first} and {second} are equivalent within the margin of {limit}"
    else:
        head = f"{best} is better than {worst}"
        if lost_units(scene, best):
            head += f" on the {scene.unit}s that both completed"
    parts += [*_speed(scene, first, second), *_memory(scene, first, second)]
    return f"{head}: {'; '.join(parts)}."


def _gap(scene: VerdictInputs, pair: Row) -> str:
    """Return the difference with its interval, over what, and what the test says."""
    metric = scene.workload.metric
    sign = f"({pair['first']} − {pair['second']})"
    between = words.difference(pair["mean_difference"], metric)
    if math.isfinite(pair["ci_low"]):
        half = (pair["ci_high"] - pair["ci_low"]) / 2
        gap = words.difference(pair["mean_difference"], metric, unit=False)
        between = f"{gap} ± {words.size(half, metric)} (95 % CI)"
    text = f"difference {sign} {between} in mean {scene.name} {_over(scene, pair)}"
    said = [pair["note"]] if pair["note"] else []
    if pair["verdict"] == EQUIVALENT:
        p = words.p_equals(pair["p_equivalence_adjusted"])
        said.insert(0, f"two one-sided tests, {_holm(scene)}{p}")
    elif math.isfinite(pair["p_adjusted"]):
        said.insert(0, f"{_holm(scene)}{words.p_equals(pair['p_adjusted'])}")
    return f"{text} ({'; '.join(said)})" if said else text


def _holm(scene: VerdictInputs) -> str:
    """Say that a p-value is adjusted, where it is."""
    count = len(scene.pairs)
    return f"Holm over {words.count(count, 'pair')}, " if count > 1 else ""


def lost_units(scene: VerdictInputs, name: str) -> tuple[int, int] | None:
    """Return how many units of a contender did not complete, of how many; None where all did."""
    (row,) = (row for row in scene.rows if row["optimizer"] == name)
    (entry,) = (entry for entry in scene.entries if entry.optimizer == name)
    planned, done = len(entry.units), int(row["units"])
    return (planned - done, planned) if done < planned else None


def losses(scene: VerdictInputs) -> str:
    """Say which contenders lost units: what is compared then are survivors."""
    parts = [
        f"{row['optimizer']} {lost[0]} of {words.count(lost[1], scene.unit)}"
        for row in scene.alive
        if (lost := lost_units(scene, row["optimizer"]))
    ]
    if not parts:
        return ""
    which = "it" if len(parts) == 1 else "them"
    return f" Not completed: {words.listing(parts)}; what is left may flatter {which}."


def _over(scene: VerdictInputs, pair: Row) -> str:
    count = pair["n_pairs"]
    if scene.unit != REPLICATE:
        return f"over {words.count(count, 'paired seed')}"
    both = [e for e in scene.entries if e.optimizer in (pair["first"], pair["second"])]
    return f"over {words.count(count, 'replicate')}, each {search_of(both)}"


def search_of(entries: Sequence[Entry]) -> str:
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
    needed, unit = pair["seeds_needed"], pair["unit"]
    if not needed > pair["n_pairs"] or math.isinf(needed):
        return []
    if needed > _MOST_NEEDED:
        return [f"more than {_MOST_NEEDED:,} {unit}s would be needed to resolve this gap"]
    return [f"about {needed:,.0f} {unit}s would be needed to resolve this gap"]


def _speed(scene: VerdictInputs, first: str, second: str) -> list[str]:
    """Say who reached the target in how many steps, where the medians of both are known.

    A ratio is a claim, and needs the verdict of the log-rank test; else the medians stand alone.
    """
    row = {row["optimizer"]: row for row in scene.rows}
    steps = {n: row[n].get("median_steps_to_target", math.nan) for n in (first, second)}
    if scene.target.value is None or not all(math.isfinite(v) and v > 0 for v in steps.values()):
        return []
    if steps[first] == steps[second]:
        return []
    fast, slow = sorted(steps, key=lambda name: steps[name])
    part = words.part(steps[fast] / steps[slow], "the steps")
    goal = words.metric(scene.target.value, scene.workload.metric)
    split = f"{goal} validation {scene.workload.metric}".strip()
    tests = [pair for pair in scene.times if {pair["first"], pair["second"]} == {first, second}]
    if not tests or not math.isfinite(tests[0]["p_adjusted"]):
        return []
    p = words.p_equals(tests[0]["p_adjusted"])
    if tests[0]["verdict"] != UNDECIDED and part:
        return [f"{fast} reached {split} in {part} ({p})"]
    return [
        f"median steps to {split}: {fast} {steps[fast]:,.0f}, {slow} {steps[slow]:,.0f} "
        f"(log-rank, {p})"
    ]


def _memory(scene: VerdictInputs, first: str, second: str) -> list[str]:
    row = {row["optimizer"]: row for row in scene.rows}
    sizes = {name: row[name]["optimizer_state_bytes"] for name in (first, second)}
    if not all(math.isfinite(size) for size in sizes.values()):
        return []
    small, large = sorted(sizes, key=lambda name: sizes[name])
    if sizes[large] == 0:
        return []
    if sizes[small] == 0:
        return [f"{small} used no optimizer memory"]
    part = words.part(sizes[small] / sizes[large], "the optimizer memory")
    return [f"{small} used {part}"] if part else []


def many(scene: VerdictInputs) -> str:
    """Return the verdict on three or more: the best, those level with it, and those beaten."""
    alive, best = scene.alive, scene.alive[0]["optimizer"]
    against = {
        (pair["second"] if pair["first"] == best else pair["first"]): pair
        for pair in scene.pairs
        if best in (pair["first"], pair["second"])
    }
    names = [row["optimizer"] for row in alive[1:]]
    verdicts = {name: against[name]["verdict"] for name in names}
    ahead = {
        name: FIRST_BETTER if against[name]["first"] == best else SECOND_BETTER for name in names
    }
    beaten = [name for name in names if verdicts[name] == ahead[name]]
    above = [n for n in names if verdicts[n] in (FIRST_BETTER, SECOND_BETTER) and n not in beaten]
    same = [name for name in names if verdicts[name] == EQUIVALENT]
    level = [name for name in names if verdicts[name] == UNDECIDED]
    tied = [row["optimizer"] for row in alive[1:] if _mean(scene, row) == _mean(scene, alive[0])]
    who = f"{words.listing([best, *tied])} share" if tied else f"{best} has"
    text = f"{who} the best {mean(scene, alive[0])}"
    if scene.unit == REPLICATE:
        text += f", each {search_of([e for e in scene.entries if e.chosen])}"
    if len(beaten) == len(names):
        text += "; it is better than every other"
    elif len(level) == len(names):
        text += "; no other is distinguishable from it"
    else:
        parts = [
            f"worse than {_some(above)} on the {scene.unit}s that both completed" if above else "",
            f"not distinguishable from {_some(level)}" if level else "",
            f"equivalent to {_some(same)} within {_limit(scene)}" if same else "",
            f"better than {_some(beaten)}" if beaten else "",
        ]
        text += f"; {best if tied else 'it'} is {words.listing([part for part in parts if part])}"
    pairs = words.count(len(scene.pairs), "pair")
    return f"{text} (paired t-tests, Holm over {pairs}, {ALPHA:g} level)."


def _mean(scene: VerdictInputs, row: Row) -> float:
    return float(row[f"{scene.prefix}_mean"])


def _limit(scene: VerdictInputs) -> str:
    return words.size(scene.margin, scene.workload.metric)


def _some(names: Sequence[str]) -> str:
    return words.listing(names) if len(names) <= 6 else f"{len(names)} others"


def scope(scene: VerdictInputs) -> str:
    """Say what the verdict is about: tuning included, these settings, or untuned ones."""
    compared = [entry for entry in scene.entries if entry.chosen]
    if scene.track == DEFAULTS:
        return "This is about default settings; tuned ones may rank differently."
    if all(entry.unit == REPLICATE for entry in compared):
        return "This is about optimizer and tuning under this budget."
    if all(entry.tuned for entry in compared):
        return (
            "This holds for these tuned settings: the noise of seeds alone is measured, "
            "not how much tuning found them by luck."
        )
    return (
        "This holds for these settings, which were not tuned under one budget; "
        "others may rank differently."
    )
