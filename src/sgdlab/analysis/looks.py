"""When a comparison was looked at: what ``study.yaml`` says of it, and the units of each look."""

from collections.abc import Mapping, Sequence

from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.statistics import ANYTIME, ONE_LOOK, PLANNED, Looks
from sgdlab.analysis.studies import Study
from sgdlab.analysis.workloads import missing
from sgdlab.results import MADE_LOOKS, PLANNED_LOOKS, look_counts

WHENEVER = Looks(ANYTIME)
"""Looks of which no number and no time is known."""


def looks_of(own: Sequence[Study]) -> Looks:
    """Return the looks at some studies that are judged together.

    They are as planned while those that were made are the first ones of the plan. A second look
    that nobody planned, and looks at several studies of which any has more than one, are looks
    whenever one wants. A planned comparison whose first look is to come is none at its end.
    """
    found = [_of(study) for study in own]
    if len(found) == 1:
        return found[0]
    return WHENEVER if any(looks != ONE_LOOK for looks in found) else ONE_LOOK


def _of(study: Study) -> Looks:
    made, planned = look_counts(study, MADE_LOOKS), look_counts(study, PLANNED_LOOKS)
    if planned and not made:
        return WHENEVER
    if planned and made == planned[: len(made)]:
        return Looks(PLANNED, made, planned)
    return Looks(ANYTIME, made) if len(made) > 1 else ONE_LOOK


def at_look(
    runs: Runs, units: Mapping[float, Sequence[int]], count: int
) -> dict[float, Sequence[int]]:
    """Return the units of a contender that there were when a study had ``count`` replicates."""
    return {
        number: rows
        for number, rows in units.items()
        if all(
            not missing(cell := runs.rows[row]["replicate"]) and float(cell) < count for row in rows
        )
    }


def at_last_look(
    runs: Runs, entries: Sequence[Entry], own: Sequence[Study], looks: Looks
) -> list[Entry]:
    """Return the contenders with those units only that there were at the last look.

    What was begun after it belongs to the next look: judged before, that look would be made early,
    by replicates of which some contenders may have more than others. All units count where no look
    was recorded, and where looks are at any time or at several studies.

    Args:
        runs: Every run.
        entries: The contenders.
        own: The studies that are judged.
        looks: The looks at them, by `looks_of`, or `WHENEVER`.
    """
    made = look_counts(own[0], MADE_LOOKS) if len(own) == 1 and looks != WHENEVER else ()
    return [_before(runs, entry, made[-1]) for entry in entries] if made else list(entries)


def _before(runs: Runs, entry: Entry, count: int) -> Entry:
    def is_later(row: int) -> bool:
        cell = runs.rows[row]["replicate"]
        return not missing(cell) and float(cell) >= count

    units = {
        number: rows
        for number, rows in entry.units.items()
        if not any(map(is_later, rows or entry.trials_of.get(number, ())))
    }
    return entry.of_units(units)
