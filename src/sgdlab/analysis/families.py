"""Which pairs of a comparison answer one question, and are adjusted together."""

from collections.abc import Mapping, Sequence

from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.statistics import ALL_PAIRS, Families, one_family
from sgdlab.analysis.varied import label_of, texts_of
from sgdlab.analysis.workloads import WorkloadRuns
from sgdlab.results.ablation import question


def families(runs: Runs, workload: WorkloadRuns, entries: Sequence[Entry]) -> Families:
    """Return the families of the pairs of a workload.

    A comparison that declares several things to compare (the optimizer, and each key of
    ``search.scientific``) asks about each of them, all others being the same: the family of a pair
    that differs in one is that question, ``schedule with optimizer=adamw`` or
    ``optimizer with schedule=cosine``. A pair that differs in several answers none. Otherwise there
    is one family, `ALL_PAIRS`; or where there is a baseline, the pairs with it. An ablation asks
    what is lost without each ingredient, and what each gives alone (`sgdlab.results.ablation`).
    """
    if baseline := workload.baseline:
        return lambda first, second: f"against {baseline}" if baseline in (first, second) else ""
    if workload.ingredients:
        return lambda first, second: question(first, second, workload.ingredients)
    places = {entry.optimizer: _a_row(entry) for entry in entries}
    rows = [row for row in places.values() if row is not None]
    texts = {key: texts_of(runs, rows, key) for key in workload.factors}
    varied = {key: own for key, own in texts.items() if len(set(own.values())) > 1}
    if len(varied) < 2:
        return one_family
    values = {
        name: {key: own.get(row) for key, own in varied.items()} if row is not None else {}
        for name, row in places.items()
    }
    return lambda first, second: _family(values[first], values[second])


def _family(first: Mapping[str, str | None], second: Mapping[str, str | None]) -> str:
    if not first or not second:
        return ALL_PAIRS
    apart = [key for key in first if first[key] != second[key]]
    if len(apart) != 1:
        return ""
    return f"{apart[0]} with {label_of({k: v for k, v in first.items() if k != apart[0]})}"


def _a_row(entry: Entry) -> int | None:
    """Return one of the runs of a contender; all of them agree in what was declared."""
    return next(iter([*entry.chosen, *entry.trials]), None)
