"""The files of a range test: its points and its suggestions as CSV."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from sgdlab.range_test.result import RangeResult
from sgdlab.results import CONFIG_BEGIN, Cell, Written, shows, write_table

CURVE, SUGGESTIONS, FIGURE = "lr_find.csv", "suggestions.csv", "lr_find.svg"

_MARKS = {
    CURVE: b"lr,loss,smoothed",
    SUGGESTIONS: b"rule,lr,lr_used,loss",
    FIGURE: b"Learning-rate range test",
    "config.yaml": CONFIG_BEGIN,
    "environment.json": b'"sgdlab"',
    "error.txt": b"Traceback",
}
"""Files of a range test, and what stands near the beginning of each."""


def refuse_others(folder: Path) -> None:
    """Refuse to write range tests over files that are not of one.

    Raises:
        InputError: Names the file; nothing was written.
    """
    Written(folder).refuse_others(_MARKS, partial(_is_ours, folder))


def replacing(folder: Path) -> AbstractContextManager[None]:
    """Return the context in which a range test takes the place of an earlier one in its folder."""
    return Written(folder).replacing(_MARKS, partial(_is_ours, folder))


def _is_ours(folder: Path, name: str) -> bool:
    return shows(folder / name, [_MARKS[name]])


def write_tables(folder: Path, results: Sequence[RangeResult], with_names: bool) -> None:
    """Write both tables.

    ``lr_find.csv`` has ``lr,loss,smoothed``, then ``val_loss`` where it was measured and
    ``lr_used`` where scaling makes it another rate. ``suggestions.csv`` has ``rule,lr,lr_used,
    loss``, the height of the curve at that rate; what no rule suggests is empty.

    Args:
        folder: The folder of the files, which is created.
        results: The range tests of one job or of several.
        with_names: Whether the name of the job stands in front.
    """
    has_val = any(result.curve.has_val for result in results)
    is_scaled = any(result.curve.is_scaled for result in results)
    head = ["job"] if with_names else []
    columns = [*head, "lr", "loss", "smoothed"]
    columns += ["val_loss"] * has_val + ["lr_used"] * is_scaled
    rows: list[list[Cell]] = []
    advice: list[list[Cell]] = []
    for result in results:
        name: list[Cell] = [result.name] if with_names else []
        for point in result.curve.points:
            more: list[Cell] = [point.val_loss] if has_val else []
            more += [point.lr_used] if is_scaled else []
            rows.append([*name, point.lr, point.loss, point.smoothed, *more])
        for rule, lr in result.advice.items():
            cells = [None] * 3 if lr is None else [lr, result.scaled(lr), result.value_at(lr)]
            advice.append([*name, rule, *cells])
    write_table(folder / CURVE, columns, rows)
    write_table(folder / SUGGESTIONS, [*head, "rule", "lr", "lr_used", "loss"], advice)
