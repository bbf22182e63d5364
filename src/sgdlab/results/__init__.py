"""The files of a run: their names, columns and meaning. The only reader and writer of them.

A run directory holds ``config.yaml``, ``environment.json``, ``steps.csv``, ``evals.csv`` and,
written last and atomically, ``summary.csv``: its presence means that the run ended by itself.
Floats are written with ``repr``, so that they read back exactly; what was not measured is an
empty cell, never an imputed number.
"""

from sgdlab.results.contract import (
    COMPLETED,
    DIVERGED,
    EVAL_COLUMNS,
    FAILED,
    FINDINGS,
    STEP_COLUMNS,
    SUMMARY_COLUMNS,
    TIME_AND_MEMORY,
    UNFINISHED,
    Cell,
    text,
)
from sgdlab.results.read import (
    collect,
    find_runs,
    read_config,
    read_evals,
    read_steps,
    read_study,
    read_summary,
)
from sgdlab.results.write import (
    RunWriter,
    atomic_write,
    write_config,
    write_environment,
    write_error,
    write_runs,
    write_study,
    write_summary,
)

__all__ = [
    "COMPLETED",
    "DIVERGED",
    "EVAL_COLUMNS",
    "FAILED",
    "FINDINGS",
    "STEP_COLUMNS",
    "SUMMARY_COLUMNS",
    "TIME_AND_MEMORY",
    "UNFINISHED",
    "Cell",
    "RunWriter",
    "atomic_write",
    "collect",
    "find_runs",
    "read_config",
    "read_evals",
    "read_steps",
    "read_study",
    "read_summary",
    "text",
    "write_config",
    "write_environment",
    "write_error",
    "write_runs",
    "write_study",
    "write_summary",
]
