"""A folder that a run is to be written into, and that holds something else."""

import os
from pathlib import Path

from sgdlab.errors import InputError
from sgdlab.results.contract import (
    END_FILES,
    EVAL_COLUMNS,
    RUN_FILES,
    STEP_COLUMNS,
    SUMMARY_COLUMNS,
)
from sgdlab.results.ownership import beginning, shows

CONFIG_BEGIN = b"defaults:\n- train_schema\n"
STUDY_CONFIG_BEGIN = b"defaults:\n- compare_schema\n"
"""How ``config.yaml`` of a run begins, and that of a comparison."""

_MARKS = (
    CONFIG_BEGIN,
    *(",".join(columns).encode() for columns in (STEP_COLUMNS, EVAL_COLUMNS, SUMMARY_COLUMNS[:5])),
)
_TELLING = ("config.yaml", "steps.csv", "evals.csv", "summary.csv")
_NAMES = frozenset((*RUN_FILES, *END_FILES))
"""Names of files that a run writes or deletes."""


def refuse_foreign(directory: Path) -> None:
    """Refuse to write a run where files of its names are not those of a run, or links.

    Where one file is of a run, all are, damaged ones too; what a power cut has left empty is
    nobody's.

    Raises:
        InputError: Names the file; nothing was written.
    """
    try:
        with os.scandir(directory) as entries:
            found = [entry for entry in entries if entry.name in _NAMES]
    except OSError:
        return
    there = sorted(entry.path for entry in found)
    right = "choose another hydra.run.dir"
    for entry in found:
        if entry.is_symlink():
            raise InputError(f"{entry.path}: a link, which a run would replace; {right}")
    told = [path for path in there if os.path.basename(path) in _TELLING]
    if any(shows(path, _MARKS) for path in told):
        return
    for path in there:
        if _has_content(path):
            raise InputError(f"{path}: not sgdlab's, and a run would replace it; {right}")


def _has_content(path: str) -> bool:
    content = beginning(path)
    return content is None or bool(content.strip(b"\0 \n"))
