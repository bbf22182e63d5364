"""The files of a range test: its points and its suggestions as CSV."""

from collections.abc import Sequence
from pathlib import Path

from sgdlab.range_test.result import RangeResult
from sgdlab.results import Cell, write_table

CURVE, SUGGESTIONS = "lr_find.csv", "suggestions.csv"


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
