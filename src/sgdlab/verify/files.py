"""What ``sgdlab verify`` leaves: ``verify.csv``, ``modes.csv``, and a figure per family."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple
from functools import partial
from pathlib import Path

from sgdlab.results import Cell, Written, shows, write_table
from sgdlab.verify import modes
from sgdlab.verify.runner import VerifyResult

COLUMNS = (
    "row", "family", "experiment", "kind", "predicted", "measured", "error", "tolerance",
    "status", "seconds",
)  # fmt: skip


CHECKS, MODES = "verify.csv", "modes.csv"


def refuse_others(folder: Path, families: Iterable[str]) -> None:
    """Refuse to write over files that are not of this command.

    Raises:
        InputError: Names the file; nothing was written.
    """
    names = [CHECKS, MODES, *map(_figure, families)]
    Written(folder).refuse_others(names, partial(_is_ours, folder))


def _figure(family: str) -> str:
    return f"{family}.svg"


def _is_ours(folder: Path, name: str) -> bool:
    heads = {CHECKS: COLUMNS, MODES: modes.COLUMNS}
    mark = ",".join(heads[name]) if name in heads else "sgdlab verify: "
    return shows(folder / name, [mark.encode()])


def write_checks(folder: Path, results: Sequence[VerifyResult], plots: bool) -> None:
    """Write ``verify.csv``, and with ``plots`` an SVG for each family that has curves."""
    families = list(dict.fromkeys(result.family for result in results)) if plots else []
    names = [CHECKS, *map(_figure, families)]
    with Written(folder).replacing(names, partial(_is_ours, folder)):
        write_table(folder / CHECKS, COLUMNS, [_cells(result) for result in results])
        if not families:
            return
        from sgdlab.verify.plots import draw  # matplotlib takes a second

        for family in families:
            own = [result.check for result in results if result.family == family]
            draw(folder / _figure(family), family, [c for check in own for c in check.curves])


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
    with Written(folder).replacing([MODES], partial(_is_ours, folder)):
        write_table(folder / MODES, modes.COLUMNS, [astuple(row) for row in measured])
    return measured
