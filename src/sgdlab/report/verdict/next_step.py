"""What to do after an answer, with the command for it where there is one."""

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from sgdlab.analysis import Result, words
from sgdlab.analysis.environments import environments
from sgdlab.analysis.load import Runs
from sgdlab.analysis.result import Row
from sgdlab.analysis.statistics import ALPHA, ANYTIME, EQUIVALENT, UNDECIDED, seeds_needed
from sgdlab.analysis.units import REPLICATE
from sgdlab.report.typed_command import typed_command
from sgdlab.report.verdict.claimed import decision
from sgdlab.report.verdict.standing import WORSE, decided, stands
from sgdlab.results import APART
from sgdlab.visible import shell_path

FEW_UNITS = 5
"""Replicates or seeds that an answer takes at least, as the protocols have it."""

_MOST_WORTH, _MOST_NEEDED = 200, 10_000
_SEEDS_NAMED = 20


@dataclass(frozen=True)
class NextStep:
    """What to do next.

    Attributes:
        what: What to do, in words.
        command: The line that does it, for a POSIX shell; empty where there is none.
    """

    what: str
    command: str = ""


def next_step(runs: Runs, result: Result) -> NextStep | None:
    """Return what to do next; None for a track that another one decides."""
    if result.track in APART or not result.rows:
        return None
    if result.workload.logged and not result.alive:
        return None
    if result.claims or result.workload.baseline:
        return _claimed(result)
    if not result.alive:
        return _diagnose(runs, result)
    if len(result.rows) == 1:
        return NextStep("run another contender on the same data to compare it with")
    if not decided(result):
        what = f"at least {FEW_UNITS} {result.unit}s of each"
        return NextStep(what, _more(runs, result, FEW_UNITS))
    if len(result.families) > 1:
        return None  # each question has an answer of its own
    stand = stands(result)
    if WORSE in stand.values():
        return NextStep(f"find out why {result.unit}s are missing before choosing")
    if (pair := _open(result)) is not None:
        return _decide(runs, result, pair)
    best = result.alive[0]["optimizer"]
    if EQUIVALENT in stand.values():
        return NextStep("choose by speed or memory; the difference does not matter")
    if result.workload.by:
        return None
    if not all(entry.tuned for entry in result.entries if entry.chosen):
        return NextStep("let sgdlab compare tune them under one budget before a winner is named")
    return NextStep(f"“Use the winner” in the report has {best} as plain PyTorch")


def _diagnose(runs: Runs, result: Result) -> NextStep | None:
    rows = [row for entry in result.entries for row in (*entry.chosen, *entry.trials)]
    if not rows:
        return None
    return NextStep("see why", f"sgdlab diagnose {shell_path(runs.rows[rows[0]]['directory'])}")


def _claimed(result: Result) -> NextStep | None:
    """Say how many runs would decide a claim that is undecided."""
    if decision(result) != UNDECIDED:
        return None
    needed = [
        pair["seeds_needed"] for pair in result.primary
        if result.workload.baseline and pair["verdict"] == UNDECIDED
    ]  # fmt: skip
    finite = [number for number in needed if math.isfinite(number)]
    if finite and max(finite) <= _MOST_WORTH:
        many = f"about {max(finite):.0f} {result.unit}s of each"
        return NextStep(f"{many} would decide it, if the gap is as seen here")
    return NextStep(f"more {result.unit}s of what is undecided, all of them reported")


def _open(result: Result) -> Row | None:
    """Return the pair of the best mean with the next contender that no test tells from it."""
    best = result.alive[0]["optimizer"]
    level = [name for name, how in stands(result).items() if how == UNDECIDED]
    if not level:
        return None
    return result.pair(best, level[0])


def _decide(runs: Runs, result: Result, pair: Row) -> NextStep:
    """Say how many units would tell a pair apart, with the command where they can be paid for."""
    unit, needed, have = pair["unit"], _needed(result, pair), pair["n_pairs"]
    tell = "them apart" if len(result.alive) == 2 else f"{pair['first']} from {pair['second']}"
    if not math.isfinite(needed) or needed <= have:
        return NextStep(f"more {unit}s may tell {tell}", _more(runs, result, 2 * have))
    if needed > _MOST_WORTH:
        many = f"more than {_MOST_NEEDED:,}" if needed > _MOST_NEEDED else f"about {needed:,.0f}"
        what = f"{_open_range(result, pair)}; to tell {tell} would take {many} {unit}s, if the gap"
        return NextStep(f"{what} is as seen here")
    what = f"about {needed:.0f} {unit}s would tell {tell}, if the gap is as seen here"
    if command := _more(runs, result, int(needed)):
        again = " (a look that was not planned, and is judged as one)"
        return NextStep(f"{what}{again if unit == REPLICATE else ''}", command)
    return NextStep(what)


def _open_range(result: Result, pair: Row) -> str:
    """Say what the difference may be, as far as the interval knows."""
    if not math.isfinite(pair["ci_low"]):
        return "nothing is known of the difference"
    metric = result.workload.metric
    low = words.difference(pair["ci_low"], metric, unit=False)
    high = words.difference(pair["ci_high"], metric)
    return f"the difference may be anything from {low} to {high}"


def _needed(result: Result, pair: Row) -> float:
    """Return how many units decide a pair; of replicates, by another look at the same study.

    NaN stays what it is: of splits of the same data no number is known to.
    """
    if math.isnan(pair["seeds_needed"]) or pair["unit"] != REPLICATE:
        return pair["seeds_needed"]
    many = max(1, len(result.families.get(pair["family"], ())))
    return seeds_needed(pair["effect_size"], 1.0, ALPHA / many, design=ANYTIME)


def _more(runs: Runs, result: Result, units: int) -> str:
    """Return the command that makes so many units; empty where none is known."""
    rows = [row for entry in result.entries for row in entry.chosen]
    found = environments(runs, rows[:1])
    tokens = typed_command(found[0].get("command")) if found else None
    if tokens is None:
        return ""
    if result.unit == REPLICATE and tokens[1] == "compare":
        study = runs.rows[rows[0]]["study"]
        own = ("replicates=", "study=", "max_replicates=")
        named = [f"study={study}"] if study else []
        return _with(tokens, own, [*named, f"replicates={units}"])
    if tokens[1] == "train":
        seeds = f"seed={','.join(map(str, range(units)))}"
        return _with(tokens, ("seed=",), [seeds]) if units <= _SEEDS_NAMED else ""
    return ""


def _with(tokens: Sequence[str], replaced: tuple[str, ...], by: Sequence[str]) -> str:
    return shlex.join([*(token for token in tokens if not token.startswith(replaced)), *by])
