"""How contenders stand to the one with the best mean."""

from collections.abc import Mapping

from sgdlab.analysis import Result
from sgdlab.analysis.result import Row
from sgdlab.analysis.statistics import FIRST_BETTER, SECOND_BETTER, UNDECIDED
from sgdlab.analysis.statistics.levels import ROUNDINGS

BETTER, WORSE = "better", "worse"


def decided(result: Result) -> bool:
    """Whether there is a pair of contenders with at least two units to compare."""
    pairs = max((pair["n_pairs"] for pair in result.primary), default=0)
    return len(result.alive) > 1 and pairs > 1


def stands(result: Result) -> Mapping[str, str]:
    """Return how the best mean stands to every other contender that has a completed run.

    ``better`` or ``worse`` where a test decides it, else the verdict without a winner.
    """
    best, *others = (row["optimizer"] for row in result.alive)
    return {other: stands_to(result, best, other) for other in others}


def stands_to(result: Result, one: str, other: str) -> str:
    """Return how a contender stands to another, in the words of `stands`."""
    if not result.asks(one, other):
        return UNDECIDED
    pair = result.pair(one, other)
    if pair["verdict"] not in (FIRST_BETTER, SECOND_BETTER):
        return pair["verdict"]
    ahead = FIRST_BETTER if pair["first"] == one else SECOND_BETTER
    return BETTER if pair["verdict"] == ahead else WORSE


def tied(result: Result) -> list[str]:
    """Return the contenders whose mean equals the best one's."""
    best, *others = result.alive
    top = mean_of(result, best)
    near = ROUNDINGS * abs(top)
    return [row["optimizer"] for row in others if abs(mean_of(result, row) - top) <= near]


def mean_of(result: Result, row: Row) -> float:
    """Return the mean of a contender, of the metric of the verdicts."""
    return float(row[f"{result.prefix}_mean"])


def lost_units(result: Result, name: str) -> tuple[int, int] | None:
    """Return how many units of a contender did not complete, of how many; None where all did."""
    (row,) = (row for row in result.rows if row["optimizer"] == name)
    (entry,) = (entry for entry in result.entries if entry.optimizer == name)
    planned, done = len(entry.units), int(row["units"])
    return (planned - done, planned) if done < planned else None
