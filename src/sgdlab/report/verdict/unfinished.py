"""What is said of a comparison that has runs to come: how far it is, and what that means."""

import shlex

from sgdlab.analysis import Result, words
from sgdlab.analysis.environments import environments
from sgdlab.analysis.load import Runs
from sgdlab.analysis.progress import SearchProgress
from sgdlab.analysis.units import REPLICATE
from sgdlab.analysis.whole_units import phases_of
from sgdlab.report.document import Section, Table
from sgdlab.report.typed_command import typed_command
from sgdlab.report.verdict.next_step import NextStep
from sgdlab.report.verdict.standing import decided
from sgdlab.results import DEFAULTS, FINAL, ONE, TUNE

NAMES = {
    TUNE: "Trials",
    FINAL: "Final runs",
    ONE: "Runs with one setting",
    DEFAULTS: "Default settings",
}
"""The phases that a plan counts, as they stand above columns."""


def caveats_of(result: Result) -> list[str]:
    """Say how far a comparison has come, over what its verdict is, and what that rests on."""
    if not result.progress:
        return []
    parts = [_so_far(result.progress, phase) for phase in phases_of(result.track)]
    said = [f"Not finished: {words.listing([part for part in parts if part])} have ended"]
    if decided(result):
        said.append(
            f"{_compared(result)}. A comparison that is ended because of what it shows "
            "finds differences too often: p-values hold for the plan as a whole"
        )
    return said


def _so_far(progress: list[SearchProgress], phase: str) -> str:
    shares = [p.shares[phase] for p in progress if phase in p.shares]
    if not shares:
        return ""
    ended, planned = (sum(counts) for counts in zip(*shares, strict=True))
    return f"{ended:,} of {planned:,} {NAMES[phase].lower()}"


def _compared(result: Result) -> str:
    """Say which units count: those all of whose runs have ended."""
    units = {entry.optimizer: len(entry.units) for entry in result.entries}
    counts = words.listing([f"{name} {count}" for name, count in sorted(units.items())])
    if result.unit == REPLICATE:
        return f"Only whole replicates count, whose final runs have all ended ({counts})"
    return f"Only seeds whose run has ended count ({counts})"


def go_on(runs: Runs, result: Result) -> NextStep:
    """Return the command that goes on with a comparison that is not finished."""
    rows = [row for entry in result.entries for row in (*entry.chosen, *entry.trials)]
    found = environments(runs, rows[:1])
    tokens = typed_command(found[0].get("command")) if found else None
    what = "let it go on to its end, in the folder where it was begun"
    return NextStep(what, "" if tokens is None else shlex.join(tokens))


def section_of(progress: list[SearchProgress]) -> Section:
    """Return what is still to come of unfinished comparisons: a row per search that is not whole.

    Args:
        progress: Every search of them.
    """
    several = len({p.workload for p in progress}) > 1
    phases = [phase for phase in NAMES if any(phase in p.shares for p in progress)]
    pointed = any(p.point for p in progress)
    places = [*(["Workload"] if several else []), *(["Point"] if pointed else [])]
    columns = [*places, "Contender", "Replicate"]
    rows = [
        [
            *([p.workload] if several else []), *([_point(p)] if pointed else []),
            p.contender, str(p.replicate),
            *(_share(p, phase) for phase in phases),
        ]
        for p in progress if not p.is_whole
    ]  # fmt: skip
    whole = len(progress) - len(rows)
    heads = [NAMES[phase] for phase in phases]
    caption = "Runs that have ended, of those planned; diverged and failed ones have ended, too."
    if whole:
        caption += f" Of {words.count(whole, 'search')} nothing is missing."
    numeric = frozenset(["Replicate", *heads])
    return Section("What is missing", [Table([*columns, *heads], rows, caption, numeric=numeric)])


def _point(progress: SearchProgress) -> str:
    return " ".join(f"{key}={words.setting(value)}" for key, value in progress.point.items())


def _share(progress: SearchProgress, phase: str) -> str:
    if phase not in progress.shares:
        return "not known yet" if phase == TUNE else ""
    ended, planned = progress.shares[phase]
    return f"{ended:,} of {planned:,}"
