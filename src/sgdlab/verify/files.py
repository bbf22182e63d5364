"""What ``sgdlab verify`` leaves: ``verify.csv``, ``modes.csv``, and a figure per family."""

from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

from sgdlab.results import Cell, write_table
from sgdlab.verify import modes
from sgdlab.verify.runner import VerifyResult

COLUMNS = (
    "row", "family", "experiment", "kind", "predicted", "measured", "error", "tolerance",
    "status", "seconds",
)  # fmt: skip


def write_checks(folder: Path, results: Sequence[VerifyResult], plots: bool) -> None:
    """Write ``verify.csv``, and with ``plots`` an SVG for each family that has curves."""
    write_table(folder / "verify.csv", COLUMNS, [_cells(result) for result in results])
    if not plots:
        return
    from sgdlab.verify.plots import draw  # matplotlib takes a second

    for family in dict.fromkeys(result.family for result in results):
        own = [result.check for result in results if result.family == family]
        draw(folder / f"{family}.svg", family, [c for check in own for c in check.curves])


def _cells(result: VerifyResult) -> list[Cell]:
    check = result.check
    status = "ok" if check.passed else "failed"
    return [
        result.row, result.family, check.experiment, check.kind, float(check.predicted),
        float(check.measured), float(check.error), float(check.tolerance), status, result.seconds,
    ]  # fmt: skip


def write_modes(folder: Path) -> list[modes.ModeRow]:
    """Measure batch, mini-batch and pure SGD, write ``modes.csv``, and return its rows."""
    measured = modes.table()
    write_table(folder / "modes.csv", modes.COLUMNS, [astuple(row) for row in measured])
    return measured
