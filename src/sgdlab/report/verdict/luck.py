"""Which luck the interval of a verdict contains, and which it does not."""

from sgdlab.analysis import Result, words
from sgdlab.analysis.load import Runs
from sgdlab.analysis.splits import came_with_the_data
from sgdlab.analysis.units import REPLICATE, varies
from sgdlab.results import DEFAULTS


def luck(runs: Runs, result: Result) -> str:
    """Return a sentence on the luck inside and outside; empty where the files cannot tell."""
    rows = [row for entry in result.entries for row in entry.chosen]
    problem = any(runs.rows[row].get("task") == "optimization" for row in rows)
    if result.workload.logged or not rows or problem:
        return ""
    searched = result.unit == REPLICATE and result.track != DEFAULTS
    inside = ["seeds", *(["searches"] if searched else [])]
    if not varies(runs, rows):
        one = "split.vary=true draws one for every replicate"
        return (
            f"Luck inside the interval: {words.listing(inside)}. Outside: the split of the data, "
            f"one and the same for all ({one})."
        )
    split = "test" if result.column == "test_metric" else "val"
    if came_with_the_data(runs, rows, split):
        what = "what of the data is for training"
        return (
            f"Luck inside the interval: {words.listing([*inside, what])}, drawn for every "
            f"{result.unit}. Outside: the {split} split, which came with the data."
        )
    return (
        f"Luck inside the interval: {words.listing([*inside, 'the split'])}, drawn for every "
        f"{result.unit} (Nadeau and Bengio's variance, since splits of the same data overlap). "
        "Outside: which data there are."
    )
