"""How far a comparison has come: which trials and final runs of its plan have ended."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sgdlab.analysis.audit.plan import DeclaredPlan, section
from sgdlab.analysis.axis_points import planned_points, point_mark, value_at
from sgdlab.analysis.entries import TUNED
from sgdlab.analysis.load import Runs
from sgdlab.analysis.studies import Study
from sgdlab.analysis.workloads import contender, missing, text
from sgdlab.checks import is_number
from sgdlab.results import APART, COMPLETED, FINAL, TUNE, UNFINISHED, Cell

PHASES = (TUNE, FINAL, *APART)
"""Phases whose runs a plan counts; pilot and timing runs are short, and not compared."""

MOST = 100_000
"""Searches of one ``study.yaml`` that are looked at: what lists more is no plan of ours."""


class Share(NamedTuple):
    """How many of some runs have ended, whatever became of them, and how many were planned."""

    ended: int
    planned: int

    @property
    def is_whole(self) -> bool:
        """Whether none is to come."""
        return self.ended >= self.planned


@dataclass(frozen=True)
class SearchProgress:
    """How far one search of a comparison has come, with the runs that follow from it.

    Attributes:
        study: The name of the comparison.
        workload: ``dataset/model``, as its runs call it.
        contender: What is tuned.
        replicate: Which of its searches.
        shares: How many runs of each phase have ended; a phase that is not planned is absent, and
            so are trials whose number is not known yet (``seconds=``).
        point: Where on the axes of the comparison it is, by their keys; empty: it has none.
    """

    study: str
    workload: str
    contender: str
    replicate: int
    shares: Mapping[str, Share]
    point: Mapping[str, Cell] = field(default_factory=dict[str, Cell])

    @property
    def is_whole(self) -> bool:
        """Whether all of its runs have ended."""
        return all(share.is_whole for share in self.shares.values())

    def lacks(self, phase: str) -> bool:
        """Whether runs of a phase are to come."""
        return phase in self.shares and not self.shares[phase].is_whole


_Marks = tuple[tuple[str, str], ...]
"""Keys of axes, and the text of their values."""

_Key = tuple[str, str, str, int, _Marks]
"""Study, workload, contender, replicate and point."""


def unfinished(runs: Runs, found: Mapping[str, Study]) -> list[SearchProgress]:
    """Return every search of those comparisons that have runs to come, in the order of the plan.

    A search of which no trial completed has no winner, and no final runs to come.
    """
    axes = _axes(runs, found)
    ended = _ended(runs, axes)
    progress: list[SearchProgress] = []
    for name, study in found.items():
        phases = {phase for key, done in ended.items() if key[0] == name for phase in done}
        if FINAL in phases and TUNE not in phases:
            continue  # winners that were picked out of a study, which are what was asked for
        own = list(_of_study(name, study, ended, axes.get(name, ())))
        if not all(search.is_whole for search in own):
            progress += own
    return progress


def _axes(runs: Runs, found: Mapping[str, Study]) -> dict[str, list[str]]:
    """Return the keys of the axes of each study, those that no run of it tells aside."""
    keys = {
        name: list(values)
        for name, study in found.items()
        if (values := section(section(study.get("axes")).get("values")))
    }
    told: dict[str, set[str]] = {name: set() for name in keys}
    for row, run in enumerate(runs.rows) if keys else ():
        name = text(run["study"])
        own = [key for key in keys.get(name, ()) if key not in told[name]]
        told.get(name, set()).update(k for k in own if not missing(value_at(runs, row, k)))
    return {name: [key for key in own if key in told[name]] for name, own in keys.items()}


def _ended(runs: Runs, axes: Mapping[str, Sequence[str]]) -> dict[_Key, dict[str, list[int]]]:
    """Return the rows of the runs that have ended, by search and phase."""
    found: dict[_Key, dict[str, list[int]]] = {}
    for row, run in enumerate(runs.rows):
        phase = text(run["phase"])
        if phase in PHASES and run["study"] and run["status"] != UNFINISHED:
            own = found.setdefault(key_of(runs, row, axes), {})
            own.setdefault(phase, []).append(row)
            if phase == TUNE and run["status"] == COMPLETED:
                own.setdefault(COMPLETED, []).append(row)
    return found


def key_of(runs: Runs, row: int, axes: Mapping[str, Sequence[str]]) -> _Key:
    """Return what says which search a run is of; ``axes`` are those that count, by study."""
    run = runs.rows[row]
    replicate = int(run["replicate"]) if is_number(run["replicate"]) else 0
    where, name = f"{run['dataset']}/{run['model']}", text(run["study"])
    marks = marks_of({key: value_at(runs, row, key) for key in axes.get(name, ())})
    return name, where, contender(runs, row), replicate, marks


def marks_of(point: Mapping[str, Cell]) -> _Marks:
    """Return a point so that it is equal to the same one of a plan."""
    return tuple((key, point_mark(value)) for key, value in point.items())


def _of_study(
    name: str,
    study: Study,
    ended: Mapping[_Key, Mapping[str, Sequence[int]]],
    axes: Sequence[str],
) -> Iterable[SearchProgress]:
    plan = DeclaredPlan(study)
    seeds = plan.final_seeds
    places = [
        (planned, point, times)
        for planned in plan.workloads
        for point, times in _points(study, planned, axes)
    ]
    names = [(place, who) for place in places for who in plan.contenders]
    if len(names) * len(seeds) > MOST:
        return
    # A comparison that was stopped and is gone on with may have begun more than it has in its plan
    # by now: what these lack they lack of the same number of runs.
    most = max(map(len, seeds), default=0)
    begun = [key for key in ended if seeds and key[0] == name and key[3] >= len(seeds)]
    for (planned_place, point, times), who in names:
        where, marks = _where(planned_place, point), marks_of(point)
        more = sorted(key[3] for key in begun if (*key[1:3], key[4]) == (where, who, marks))
        searches = [*enumerate(seeds), *((replicate, range(most)) for replicate in more)]
        for replicate, own in searches:
            done = ended.get((name, where, who, replicate, marks), {})
            counts = {phase: len(done.get(phase, ())) for phase in PHASES}
            planned: dict[str, int] = {}
            if TUNED in plan.tracks:
                trials = plan.trials(planned_place, who)
                if trials is not None:
                    planned[TUNE] = trials * times
                is_over = trials is not None and counts[TUNE] >= planned[TUNE]
                is_barren = is_over and COMPLETED not in done
                planned[FINAL] = 0 if is_barren else len(own) * times
            planned |= {track: len(own) * times for track in APART if track in plan.tracks}
            shares = {phase: Share(counts[phase], n) for phase, n in planned.items()}
            yield SearchProgress(name, where, who, replicate, shares, point)


def _points(study: Study, place: str, axes: Sequence[str]) -> list[tuple[dict[str, Cell], int]]:
    """Return the points of a workload by the axes that runs tell, and how many are alike in them.

    Where runs do not tell an axis, those of all of its values are counted together.
    """
    found: dict[_Marks, tuple[dict[str, Cell], int]] = {}
    for whole in planned_points(study, place, MOST):
        point = {key: whole[key] for key in axes if key in whole}
        _, times = found.get(marks_of(point), (point, 0))
        found[marks_of(point)] = point, times + 1
    return list(found.values())


def _where(place: str, point: Mapping[str, Cell]) -> str:
    """Return ``dataset/model`` at a point, which either may be an axis of."""
    dataset, _, model = place.partition("/")
    return f"{point.get('dataset', dataset)}/{point.get('model', model)}"
