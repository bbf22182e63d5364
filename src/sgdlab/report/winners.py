"""The best run of every optimizer as plain PyTorch: what a reader takes home."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sgdlab.analysis import Analysis, Result
from sgdlab.analysis.entries import Entry
from sgdlab.checks import is_number
from sgdlab.errors import InputError
from sgdlab.report.figures.slug import slug
from sgdlab.results import APART, COMPLETED, read_config
from sgdlab.snippet import snippet


@dataclass
class Winners:
    """Sources by file name, best optimizer first, and why some have none."""

    sources: dict[str, str] = field(default_factory=dict[str, str])
    missing: list[str] = field(default_factory=list[str])


def winners(analysis: Analysis) -> Winners:
    """Return the settings of the best run of every optimizer as plain PyTorch.

    Where values of a setting are compared, those of the best of them only.

    The best is the run compared with the least final validation loss: of the searches of an
    optimizer, the one that it says did best. The test split has no say.
    """
    found = Winners()
    for result in analysis.results:
        if result.track in APART or result.workload.logged:
            continue
        # Of the values of a setting one is taken home, not each.
        entries = result.entries[:1] if result.workload.by else result.entries
        for entry in entries:
            row = _best(analysis, entry)
            if row is None:
                continue
            name = _free(f"winner-{slug(result.workload.name)}-{slug(entry.optimizer)}", found)
            try:
                config = read_config(Path(row["directory"]))
                found.sources[name] = snippet(config, row["lr"])
            except InputError as error:
                found.missing.append(f"{_who(analysis, result, entry)}: {error}")
    return found


def _free(stem: str, found: Winners) -> str:
    """Return a file name that no other has: different names may be alike in letters."""
    name, number = f"{stem}.py", 2
    while name in found.sources:
        name, number = f"{stem}-{number}.py", number + 1
    return name


def _best(analysis: Analysis, entry: Entry) -> Mapping[str, Any] | None:
    rows = [analysis.runs.rows[row] for row in entry.chosen]
    done = [row for row in rows if row["status"] == COMPLETED]
    return min(done, key=_loss, default=None)


def _loss(row: Mapping[str, Any]) -> float:
    loss = row["final_val_loss"]
    return float(loss) if is_number(loss) and math.isfinite(loss) else math.inf


def _who(analysis: Analysis, result: Result, entry: Entry) -> str:
    several = len({other.workload.name for other in analysis.results}) > 1
    return f"{result.workload.name}, {entry.optimizer}" if several else entry.optimizer
