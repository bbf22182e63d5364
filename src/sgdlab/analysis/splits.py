"""Splits that vary: whether each unit has its own, and how much they overlap."""

from collections.abc import Sequence
from typing import Any, cast

from sgdlab.analysis.entries import Entry
from sgdlab.analysis.environments import environments
from sgdlab.analysis.load import Runs
from sgdlab.analysis.units import varies
from sgdlab.checks import is_number


def came_with_the_data(runs: Runs, rows: Sequence[int], split: str) -> bool:
    """Whether a split is the one that the data set was published with, the same in all runs."""
    return any(split in told.get("official_splits", ()) for told in environments(runs, rows[:1]))


def overlap_of(runs: Runs, entries: Sequence[Entry], column: str) -> float:
    """Return ``n_test / n_train`` of units that have a split each, for `paired_t`.

    0 where all units have one split, and where the split that is evaluated came with the data:
    then the draws of what to train on are independent, given these data.

    Args:
        runs: Every run.
        entries: What is compared.
        column: The column that is compared: of the test split, or of the validation split.
    """
    rows = [row for entry in entries for row in entry.chosen]
    split = "test" if column.startswith("test_") else "val"
    if not varies(runs, rows) or came_with_the_data(runs, rows, split):
        return 0.0
    told: Any = environments(runs, rows[:1])[0].get("examples")
    sizes = cast("dict[str, Any]", told) if isinstance(told, dict) else {}
    held, train = sizes.get(split), sizes.get("train")
    if is_number(held) and is_number(train) and train > 0:
        return float(held) / float(train)
    # A run that does not tell its sizes has the fractions that it was split by.
    config = runs.configs[rows[0]]
    val, test = (float(str(config.get(f"split.{name}", 0.2))) for name in ("val", "test"))
    return (test if split == "test" else val) / (1 - val - test)
