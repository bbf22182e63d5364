"""Which units of a comparison that has runs to come count: those that have all of their runs."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from sgdlab.analysis.axis_points import point_mark
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.progress import SearchProgress, key_of, marks_of
from sgdlab.analysis.units import REPLICATE
from sgdlab.results import APART, FINAL, TUNE, UNFINISHED, Cell


def of_track(
    progress: Iterable[SearchProgress],
    studies: Iterable[str],
    workload: str,
    point: Mapping[str, Cell],
    track: str,
) -> list[SearchProgress]:
    """Return the searches of some studies on a workload; none where the track has nothing to come.

    Args:
        progress: All that are known.
        studies: The names of the studies.
        workload: ``dataset/model``, as its runs call it.
        point: Where on the axes of the studies it is, by their keys.
        track: The track, whose runs count.
    """
    names, marks = set(studies), {key: point_mark(value) for key, value in point.items()}
    own = [
        p
        for p in progress
        if p.study in names
        and p.workload == workload
        and all(marks.get(key, mark) == mark for key, mark in marks_of(p.point))
    ]
    return own if any(p.lacks(phase) for p in own for phase in phases_of(track)) else []


def phases_of(track: str) -> tuple[str, ...]:
    """Return the phases that a track is made of."""
    return (track,) if track in APART else (TUNE, FINAL)


def whole_units(
    runs: Runs, entries: Iterable[Entry], progress: Sequence[SearchProgress], track: str
) -> list[Entry]:
    """Return the contenders with those units only that have all of their runs in a track.

    A replicate counts once all of its final runs have ended: the mean over those that ended first
    would be another quantity, and which end first may depend on how well they do. Where a unit is a
    seed, one whose run has not ended is left out. What diverged or failed has ended, and stays.

    Args:
        runs: Every run.
        entries: The contenders.
        progress: The searches of the workload, by `of_track`.
        track: The track.
    """
    axes = {p.study: list(p.point) for p in progress}
    short = {
        (p.study, p.workload, p.contender, p.replicate, marks_of(p.point))
        for p in progress
        if any(map(p.lacks, phases_of(track)))
    }

    def is_short(row: int) -> bool:
        return key_of(runs, row, axes) in short

    return [_whole(runs, entry, is_short) for entry in entries]


def _whole(runs: Runs, entry: Entry, is_short: Callable[[int], bool]) -> Entry:
    units: dict[float, list[int]] = {}
    for number, rows in entry.units.items():
        if entry.unit == REPLICATE:
            if not any(map(is_short, rows or entry.trials_of.get(number, []))):
                units[number] = rows
        elif ended := [row for row in rows if runs.rows[row]["status"] != UNFINISHED]:
            units[number] = ended
    return entry.of_units(units)
