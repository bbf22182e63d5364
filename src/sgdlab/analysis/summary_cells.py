"""Which cells of a summary can be those of a run."""

import math
import os
from typing import Any

from sgdlab.results import COMPLETED, ENDED, FAILED, UNFINISHED, Cell

NUMERIC = (
    "trial", "replicate", "batch_size", "accumulate", "effective_batch_size", "base_lr", "lr",
    "seed", "epochs", "steps", "examples", "num_parameters", "num_decayed", "optimizer_state_bytes",
    "peak_memory_bytes", "train_seconds", "examples_per_second", "final_train_loss",
    "final_val_loss", "best_val_loss", "gradient_evaluations", "function_evaluations",
    "final_val_metric", "best_val_metric", "best_val_step", "test_loss", "test_metric",
)  # fmt: skip
"""Columns of ``summary.csv`` that hold numbers."""

WHOLE_NUMBERS = frozenset(NUMERIC[:5]) | {
    "seed", "steps", "examples", "num_parameters", "num_decayed", "optimizer_state_bytes",
    "peak_memory_bytes", "gradient_evaluations", "function_evaluations", "best_val_step",
}  # fmt: skip
"""Those of them that count."""

MOST = 1e150
"""What a result is at most in size where a run completed."""


def bad_cells(run: dict[str, Any], directory: str) -> list[str]:
    """Empty cells of a summary that should be numbers and are not; say where."""
    where = f"{os.path.join(directory, 'summary.csv')}, line 2"
    lines: list[str] = []
    if run["status"] not in (*ENDED, FAILED, UNFINISHED):
        lines.append(f"{where}: status is {run['status']}, not {', '.join(ENDED)} or failed")
    for column in NUMERIC:
        cell = run[column]
        if isinstance(cell, (str, bool)) and not (column == "batch_size" and cell == "full"):
            lines.append(f"{where}: {column} is not a number")
            run[column] = None
        elif isinstance(cell, float) and (wrong := _impossible(column, cell, run["status"])):
            lines.append(f"{where}: {column} is {wrong}")
            run[column] = None
    return lines[:1]


def _impossible(column: str, value: float, status: Cell) -> str | None:
    """Say what is wrong with a number that no run has in a column."""
    if column in WHOLE_NUMBERS and not (value.is_integer() and abs(value) < 2**63):
        return "no whole number of 64 bits"
    # Squares of more, which a variance is made of, are infinite.
    return f"beyond {MOST:g}" if status == COMPLETED and MOST < abs(value) < math.inf else None
