"""What a report says in sentences, made from the tables: no claim that the numbers lack."""

from dataclasses import dataclass

from sgdlab.analysis import Analysis, Result, words
from sgdlab.analysis.load import Runs
from sgdlab.analysis.units import REPLICATE
from sgdlab.report.verdict.facts import facts
from sgdlab.report.verdict.first_sentence import decided, first_sentence, lost_units
from sgdlab.report.verdict.notes import notes
from sgdlab.results import DEFAULTS


@dataclass(frozen=True)
class Answer:
    """What a workload's numbers say.

    Attributes:
        verdict: Which contender is better, or that this cannot be said, and what that is about;
            one to three sentences.
        facts: Speed, memory and losses of runs: measured, not tested.
        notes: What a reader has to know to read the tables right.
    """

    verdict: str
    facts: list[str]
    notes: list[str]


def answer(runs: Runs, result: Result) -> Answer:
    """Return the answer for one track of a workload, which is among ``runs``."""
    verdict = first_sentence(result)
    if decided(result):
        verdict = f"{verdict}{_losses(result)}{_dead(result)} {_scope(result)}"
    return Answer(verdict, facts(runs, result), notes(result))


def answers(analysis: Analysis) -> list[Answer]:
    """Return the answer for each result of an analysis, in the same order."""
    return [answer(analysis.runs, result) for result in analysis.results]


def verdicts(analysis: Analysis) -> list[str]:
    """Return the verdict on each result, or the one sentence that nothing can be compared."""
    said = [one.verdict for one in answers(analysis)]
    nothing = "Nothing can be compared: no run says which optimizer, model and data it is of."
    return said or [nothing]


def _losses(result: Result) -> str:
    """Say which contenders lost units: what is compared then are survivors."""
    parts = [
        f"{row['optimizer']} {lost[0]} of {words.count(lost[1], result.unit)}"
        for row in result.alive
        if (lost := lost_units(result, row["optimizer"]))
    ]
    if not parts:
        return ""
    which = "it" if len(parts) == 1 else "them"
    return f" Not completed: {words.listing(parts)}; what is left may flatter {which}."


def _dead(result: Result) -> str:
    lost = [row["optimizer"] for row in result.rows if not row["completed"]]
    return f" No run of {words.listing(lost, 'or')} completed." if lost else ""


def _scope(result: Result) -> str:
    """Say what the verdict is about: tuning included, these settings, or untuned ones."""
    compared = [entry for entry in result.entries if entry.chosen]
    if result.track == DEFAULTS:
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
