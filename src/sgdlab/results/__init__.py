"""The files of a run: their names, columns and meaning. The only reader and writer of them.

A run directory holds ``config.yaml``, ``environment.json``, ``steps.csv``, ``evals.csv`` and,
written last and atomically, ``summary.csv``: its presence means that the run ended by itself.
Floats are written with ``repr``, so that they read back exactly; what was not measured is an
empty cell, never an imputed number.
"""

from sgdlab.results.blocks import BlockWriter, float_texts, step_lines
from sgdlab.results.configs import ConfigReader, read_config
from sgdlab.results.contract import (
    COMPLETED,
    DEFAULTS,
    DIVERGED,
    ENDED,
    EVAL_COLUMNS,
    FAILED,
    FINAL,
    FINDINGS,
    LABEL_COLUMNS,
    PILOT,
    STEP_COLUMNS,
    STOPPED,
    SUMMARY_COLUMNS,
    TIME_AND_MEMORY,
    TIMING,
    TUNE,
    UNFINISHED,
    Cell,
    StepRecord,
    text,
)
from sgdlab.results.read import (
    as_table,
    collect,
    collect_rows,
    find_runs,
    has_run,
    read_evals,
    read_every_evals,
    read_every_steps,
    read_steps,
    read_study,
    read_summary,
)
from sgdlab.results.settings import (
    OTHER_SETTINGS,
    columns_that_tell,
    determining,
    flatten,
    other_settings,
    without_later,
)
from sgdlab.results.tables import Columns
from sgdlab.results.write import (
    RunWriter,
    atomic_write,
    write_config,
    write_environment,
    write_error,
    write_runs,
    write_study,
    write_summary,
    write_table,
)

__all__ = [
    "COMPLETED", "DEFAULTS", "DIVERGED", "ENDED", "EVAL_COLUMNS", "FAILED", "FINAL", "FINDINGS",
    "LABEL_COLUMNS", "OTHER_SETTINGS", "PILOT", "STEP_COLUMNS", "STOPPED", "SUMMARY_COLUMNS",
    "TIME_AND_MEMORY", "TIMING", "TUNE", "UNFINISHED", "BlockWriter", "Cell", "Columns",
    "ConfigReader", "RunWriter", "StepRecord", "as_table", "atomic_write", "collect",
    "collect_rows", "columns_that_tell", "determining", "find_runs", "flatten", "float_texts",
    "has_run", "other_settings", "read_config", "read_evals", "read_every_evals",
    "read_every_steps", "read_steps", "read_study", "read_summary", "step_lines", "text",
    "without_later", "write_config", "write_environment", "write_error", "write_runs",
    "write_study", "write_summary", "write_table",
]  # fmt: skip
