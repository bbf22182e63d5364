"""What a report says in words, made from the tables: no claim that the numbers lack."""

from collections.abc import Sequence
from dataclasses import dataclass

from sgdlab.analysis import Analysis, Result, words
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.statistics import ALPHA
from sgdlab.analysis.units import REPLICATE, RUN
from sgdlab.report.verdict.facts import facts
from sgdlab.report.verdict.headline import headline
from sgdlab.report.verdict.luck import luck
from sgdlab.report.verdict.measured import measured
from sgdlab.report.verdict.next_step import NextStep, next_step
from sgdlab.report.verdict.notes import notes
from sgdlab.report.verdict.phrases import tests_named
from sgdlab.report.verdict.quick_facts import quick_facts
from sgdlab.report.verdict.standing import decided, lost_units
from sgdlab.report.verdict.unfinished import caveats_of, go_on
from sgdlab.results import APART, DEFAULTS, ONE

MOST_NAMED = 6
"""Contenders that a sentence names; of more it says how many."""


FAILS = "Audit, not met"
"""How the line on the audit begins where a check failed."""

MOST_CHECKS = 3
"""Checks of the audit that a line names."""


@dataclass(frozen=True)
class Answer:
    """What a workload's numbers say.

    Attributes:
        where: The workload, and the track where it is not the tuned one: ``On digits/mlp``.
        headline: Who is better, that they are equivalent, or that it is undecided.
        number: The difference with its interval and its test, or what there is instead.
        caveats: What may make the number flatter a contender: units that did not complete.
        audit: What the audit does not pass or warns of, in a line; empty where it passes all.
        facts: Standing, speed and memory: a short line each.
        next: What to do next; None where another track says it.
        protocol: Over what the number was measured, and what it is about.
        details: What did not complete and what halving saved: measured, not tested.
        notes: What a reader has to know to read the tables right.
    """

    where: str
    headline: str
    number: str
    caveats: list[str]
    audit: str
    facts: list[str]
    next: NextStep | None
    protocol: str
    details: list[str]
    notes: list[str]

    @property
    def title(self) -> str:
        """The headline with its workload."""
        return f"{self.where}, {self.headline}"


def answer(runs: Runs, result: Result) -> Answer:
    """Return the answer for one track of a workload, which is among ``runs``."""
    tracks = {DEFAULTS: " with default settings", ONE: " with one setting for all workloads"}
    default = "" if result.workload.ingredients else tracks.get(result.track, "")
    tested = decided(result)
    return Answer(
        where=f"On {result.workload.name}{default}{' so far' if result.progress else ''}",
        headline=headline(result),
        number=measured(result),
        caveats=[*caveats_of(result), *_caveats(result)],
        audit=_audit(result),
        facts=quick_facts(result),
        next=_next(runs, result),
        protocol=_protocol(runs, result) if tested else "",
        details=facts(runs, result),
        notes=notes(result),
    )


def answers(analysis: Analysis) -> list[Answer]:
    """Return the answer for each result of an analysis, in the same order."""
    return [answer(analysis.runs, result) for result in analysis.results]


def _next(runs: Runs, result: Result) -> NextStep | None:
    """Return what to do next: first of all to end what has been begun."""
    if result.progress:
        return None if result.track in APART else go_on(runs, result)
    return next_step(runs, result)


def _protocol(runs: Runs, result: Result) -> str:
    whole = f"{_over(result)}. {_tests(result)}{_scope(result)}", luck(runs, result)
    return " ".join(filter(None, whole))


def _caveats(result: Result) -> list[str]:
    """Say which contenders lost units: what is compared then are survivors."""
    said: list[str] = []
    parts = [
        f"{row['optimizer']} {lost[0]} of {words.count(lost[1], result.unit)}"
        for row in result.alive
        if (lost := lost_units(result, row["optimizer"]))
    ]
    if parts and decided(result):
        which = "it" if len(parts) == 1 else "them"
        said.append(f"Not completed: {words.listing(parts)}; what is left may flatter {which}")
    lost = [row["optimizer"] for row in result.rows if not row["completed"]]
    if lost and result.alive:
        end = "; nothing can be concluded against it" if len(result.alive) == 1 else ""
        whose = f"{len(lost)} of them" if len(lost) > MOST_NAMED else words.listing(lost, "or")
        said.append(f"No run of {whose} completed{end}")
    return said


def _audit(result: Result) -> str:
    """Name the checks that failed, and those that warn as far as there is room."""
    said: list[str] = []
    for status, what in (("fail", FAILS), ("warn", "Audit, in doubt")):
        names = list(dict.fromkeys(c.check for c in result.audit if c.status == status))
        if names:
            more = len(names) - MOST_CHECKS
            shown = names[:MOST_CHECKS] + [f"{more} more"] * (more > 0)
            said.append(f"{what}: {words.listing(shown)}")
    return ". ".join(said)


def _over(result: Result) -> str:
    """Return what the units of the comparison are, and how many."""
    count = max(pair["n_pairs"] for pair in result.primary)
    if result.unit != REPLICATE:
        if result.unit == RUN:
            counts = [row["units"] for row in result.alive]
            least = words.count(min(counts), "run")
            return f"{least} of each" if min(counts) == max(counts) else f"At least {least} of each"
        if (logged := result.workload.logged) is not None:
            return f"{words.count(count, 'pair')} by {logged.unit}"
        return words.count(count, "paired seed")
    return f"{words.count(count, 'replicate')}, each {_search_of(result.entries)}"


def _tests(result: Result) -> str:
    many = len(result.primary)
    if many < 2 or len(result.families) > 1:
        return ""
    test = tests_named(result.unit, result.design)
    return f"{test[0].upper()}{test[1:]}, Holm over {many:,} pairs, {ALPHA:g} level. "


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


def _scope(result: Result) -> str:
    """Say what the verdict is about: tuning included, these settings, or untuned ones."""
    compared = [entry for entry in result.entries if entry.chosen]
    if result.track == DEFAULTS and result.workload.ingredients:
        return "This is about the recipe's own settings; with retune=true it may be otherwise."
    if result.track == ONE:
        return (
            "This is about one setting of each for all workloads, chosen by the mean rank in "
            "validation; settings tuned for each workload may rank differently."
        )
    if result.track == DEFAULTS:
        return "This is about default settings; tuned ones may rank differently."
    if all(entry.unit == REPLICATE for entry in compared):
        return "This is about optimizer and tuning under this budget."
    if all(entry.tuned for entry in compared):
        return (
            "This holds for these tuned settings: the noise of seeds alone is measured, "
            "not how much tuning found them by luck."
        )
    if result.workload.logged:
        return (
            "This is about the runs in these files: how they were tuned, chosen and made the files "
            "cannot tell."
        )
    if by := result.workload.by:
        return (
            f"This is about {words.listing(by)}, all else as it was here; elsewhere the values may "
            "rank differently."
        )
    return (
        "This holds for these settings, which were not tuned under one budget; "
        "others may rank differently."
    )
