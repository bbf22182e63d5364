"""Facts beside the verdict: what was measured, not tested."""

from collections.abc import Sequence

from sgdlab.analysis import Result, words
from sgdlab.analysis.load import Runs
from sgdlab.analysis.result import Row
from sgdlab.analysis.times import barren
from sgdlab.analysis.units import REPLICATE
from sgdlab.search.halving import Saved


def facts(runs: Runs, result: Result) -> list[str]:
    """Return what was measured and not tested: what was lost, and what halving saved."""
    return [*_lost(result.rows), *_missing(runs, result), *_saved(result.rows)]


def _lost(rows: Sequence[Row]) -> list[str]:
    """Say which optimizers have runs that did not complete."""
    facts: list[str] = []
    for row in rows:
        lost = [f"{row[s]} {s}" for s in ("diverged", "failed", "unfinished") if row[s]]
        if lost:
            facts.append(
                f"{row['optimizer']}: {', '.join(lost)} of {words.count(row['n'], 'run')}; "
                "means and pairs are of completed runs."
            )
    return facts


def _missing(runs: Runs, result: Result) -> list[str]:
    """Say which replicates have no final run, and why."""
    facts: list[str] = []
    for entry in result.entries:
        empty = [number for number, rows in entry.units.items() if not rows]
        if empty and entry.unit == REPLICATE:
            lost = [number for number in empty if barren(runs, entry, number)]
            facts += [
                f"{entry.optimizer}: {_replicates(numbers, len(entry.units))} {why}, and cannot be "
                "compared."
                for numbers, why in (
                    (lost, "found no setting to run again, since no trial completed"),
                    ([n for n in empty if n not in lost], "did not run a winner again yet"),
                )
                if numbers
            ]
    return facts


def _replicates(numbers: Sequence[float], of: int) -> str:
    if len(numbers) == of:
        return f"all {words.count(of, 'replicate')}"
    shown = words.listing([words.number(number) for number in numbers])
    return f"replicate{'' if len(numbers) == 1 else 's'} {shown} of {of}"


def _saved(rows: Sequence[Row]) -> list[str]:
    """Say what successive halving saved of each optimizer's tuning."""
    facts: list[str] = []
    for row in halved(rows):
        counts = row["tuning_stopped"], row["tuning_trials"]
        sentence = Saved(*counts, row["tuning_steps_saved"]).sentence(row["optimizer"])
        facts.append(f"{sentence[0].upper()}{sentence[1:]}.")
    return facts


def halved(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of the contenders of whose trials halving stopped some."""
    return [row for row in rows if row.get("tuning_stopped")]
