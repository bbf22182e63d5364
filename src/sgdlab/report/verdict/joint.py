"""The answer over several workloads: their test together, who is better on how many, a matrix."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sgdlab.analysis import Analysis, Result, words
from sgdlab.analysis.joint import DIFFERENCE, JointPair
from sgdlab.analysis.statistics import EQUIVALENT, UNDECIDED, not_corrected
from sgdlab.report.verdict.along import along, leading
from sgdlab.report.verdict.standing import BETTER, decided, mean_of, stands
from sgdlab.report.verdict.standing import WORSE as LOST_TO
from sgdlab.report.verdict.together import headline_of, sentences
from sgdlab.results import APART

BEST, WORSE = "best", "worse"
"""How a contender stands on a workload: best mean, or beaten by it; else ``undecided`` or
``equivalent``, as the test says."""

AXES_SAID = 4
"""Lines along axes that stand at the top; the section on axes has more."""


@dataclass(frozen=True)
class Joint:
    """What several workloads come to: tested together, and counted one by one.

    Attributes:
        headline: Who is better over all of them, where a test says so, else on how many.
        number: On which nothing was found, and what the counts are of.
        contenders: The rows of the matrix, most often among the best first.
        workloads: The columns of the matrix.
        cells: The mean of every contender on every workload, and how it stands.
        tests: What the test of all workloads together says; empty where there is none.
    """

    headline: str
    number: str
    contenders: list[str]
    workloads: list[str]
    cells: list[list[str]]
    tests: list[str] = field(default_factory=list[str])


def joint(analysis: Analysis) -> Joint | None:
    """Return the answer over the workloads of an analysis; None where there is one only.

    Default settings count only where there is nothing else.
    """
    tuned = [result for result in analysis.results if result.track not in APART]
    results = tuned or analysis.results
    if len({result.workload.name for result in results}) < 2:
        return None
    standing = [_standing(result) for result in results]
    names = list(dict.fromkeys(row["optimizer"] for result in results for row in result.rows))
    first = {name: sum(s.get(name, WORSE) != WORSE for s in standing) for name in names}
    names.sort(key=lambda name: (-first[name], name))
    track = results[0].track
    pairs = [pair for pair in analysis.together if pair.track == track]
    better = headline_of([pair for pair in pairs if pair.effect == DIFFERENCE])
    # Points of an axis are one workload at several settings.
    pointed = any(result.workload.point for result in results)
    counted = _headline(names, first, standing, "points" if pointed else "workloads")
    number = _number(results, standing)
    return Joint(
        headline=better or counted,
        number=f"{_of_one_look(pairs)}On each alone: {counted}. {number}" if better else number,
        contenders=names,
        workloads=[result.workload.name for result in results],
        cells=[
            [_cell(result, s, name) for result, s in zip(results, standing, strict=True)]
            for name in names
        ],
        tests=[*sentences(pairs, results[0].unit), *_along(analysis, track)],
    )


def _of_one_look(pairs: Sequence[JointPair]) -> str:
    """Say that the test of all workloads is of this look alone; empty where there is one look."""
    designs = {effect.result.design for pair in pairs for effect in pair.effects}
    lacks = next(filter(None, map(not_corrected, sorted(designs))), "")
    return f"The test of all together is {lacks}. " if lacks else ""


def _along(analysis: Analysis, track: str) -> list[str]:
    lines = [line for line in analysis.lines if line.result.track == track]
    return [along(line) for line in leading(lines, AXES_SAID)]


def _standing(result: Result) -> dict[str, str]:
    """Return how every contender with completed runs stands; empty where nothing was tested."""
    if not decided(result):
        return {}
    best = result.alive[0]["optimizer"]
    return {best: BEST} | {
        name: WORSE if how == BETTER else BEST if how == LOST_TO else how
        for name, how in stands(result).items()
    }


def _headline(
    names: Sequence[str], first: dict[str, int], standing: Sequence[dict[str, str]], noun: str
) -> str:
    total = f"{len(standing)} {noun}"
    if not any(standing):
        return f"nothing can be concluded on any of {total}"
    if not any(WORSE in s.values() for s in standing):
        who = words.listing(names) if len(names) < 4 else f"{len(names)} contenders"
        same = all(how in (BEST, EQUIVALENT) for s in standing for how in s.values())
        return f"{who}: {EQUIVALENT if same and all(standing) else UNDECIDED} on {total}"
    if len(names) == 2:
        wins = {
            name: sum(s.get(name) == BEST and WORSE in s.values() for s in standing)
            for name in names
        }
        more, less = sorted(names, key=lambda name: -wins[name])
        return f"{more} is better on {wins[more]} of {total}, {less} on {wins[less]}"
    most = [name for name in names if first[name] == max(first.values())]
    if len(most) > 3:
        return f"{len(most)} contenders are among the best on {max(first.values())} of {total}"
    verb = "is" if len(most) == 1 else "are"
    return f"{words.listing(most)} {verb} among the best on {max(first.values())} of {total}"


def _number(results: Sequence[Result], standing: Sequence[dict[str, str]]) -> str:
    open_ones = [
        result.workload.name
        for result, s in zip(results, standing, strict=True)
        if WORSE not in s.values()
    ]
    each = "point" if any(result.workload.point for result in results) else "workload"
    said = f"Each {each} has a test of its own; the counts are not tested together"
    if not open_ones:
        return said
    some = words.listing(open_ones) if len(open_ones) < 6 else f"{len(open_ones)} of them"
    return f"No difference found on {some}. {said}"


def _cell(result: Result, standing: dict[str, str], name: str) -> str:
    row = next((row for row in result.rows if row["optimizer"] == name), None)
    if row is None:
        return "not run"
    if not row["completed"]:
        return "none completed"
    value = words.metric(mean_of(result, row), result.workload.metric)
    return f"{value} {standing[name]}" if name in standing else value
