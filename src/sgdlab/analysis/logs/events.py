# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
"""Reads TensorBoard's event files, by the package tensorboard."""

from pathlib import Path

import pandas as pd

from sgdlab.analysis.logs.options import FILE
from sgdlab.checks import pip_install
from sgdlab.errors import InputError, one_line


def is_events(path: Path) -> bool:
    """Say whether a file is called as TensorBoard calls its event files."""
    return "tfevents" in path.name


def read(path: Path) -> pd.DataFrame:
    """Return the scalars of an event file: a row per step, a column per tag, and ``seconds``.

    ``seconds`` count from the first value; what was logged twice at a step counts as logged last.

    Raises:
        InputError: The package tensorboard is not installed, or there is no scalar in the file.
    """
    try:
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError:
        raise InputError(
            f"{path}: event files need tensorboard; {pip_install('tensorboard')}"
        ) from None
    rows: dict[int, dict[str, float]] = {}
    start: float | None = None
    try:
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                array = make_ndarray(value.tensor) if value.HasField("tensor") else None
                if array is None or array.size != 1 or array.dtype.kind not in "fiu":
                    continue
                row = rows.setdefault(event.step, {"step": event.step})
                row[value.tag] = float(array.reshape(()))
                # Before the first value the file tells its own version, by the time it was made.
                start = event.wall_time if start is None else start
                row["seconds"] = event.wall_time - start
    except Exception as error:  # whatever the package raises at a file that is damaged
        raise InputError(f"{path}: cannot be read by tensorboard: {one_line(error)}") from error
    if not rows:
        raise InputError(f"{path}: no scalar in it")
    table = pd.DataFrame([rows[step] for step in sorted(rows)])
    return table.assign(**{FILE: str(path)})
