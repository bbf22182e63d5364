"""What comparisons decided before their first run: their ``study.yaml``, by name of the study."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from sgdlab.analysis.load import Runs
from sgdlab.analysis.workloads import text
from sgdlab.errors import InputError
from sgdlab.results import read_study
from sgdlab.results.ablation import ingredients_in

Study = dict[str, Any]

_LEVELS = 3
"""Folders above a run in which its ``study.yaml`` may lie: a comparison has its phase between."""


def studies(runs: Runs) -> dict[str, Study]:
    """Return ``study.yaml`` of every study that runs name and that lies above them.

    A damaged file is a line of ``runs.problems``, and its study is absent.
    """
    found: dict[str, Study] = {}
    seen: dict[str, Study | None] = {}
    for run in runs.rows:
        name = text(run["study"])
        if not name or name in found:
            continue
        folder = os.path.dirname(str(run["directory"]))
        for _ in range(_LEVELS):
            if folder not in seen:
                seen[folder] = _read(runs, folder)
            study = seen[folder]
            if study is not None and text(study.get("study")) == name:
                found[name] = study
                break
            folder = os.path.dirname(folder)
    return found


def _read(runs: Runs, folder: str) -> Study | None:
    path = Path(folder)
    try:
        content = read_study(path)
    except InputError as error:
        runs.problems.append(str(error))
        return None
    return content


def of_rows(runs: Runs, found: Mapping[str, Study], rows: Iterable[int]) -> list[Study]:
    """Return the studies that some runs belong to, by name; those without a file are absent."""
    names = sorted({text(runs.rows[row]["study"]) for row in rows})
    return [found[name] for name in names if name in found]


def agreed(own: Iterable[Study], key: str) -> Any:
    """Return what all of some studies have under a key, None where they differ or lack it."""
    values = [study.get(key) for study in own]
    return values[0] if values and all(value == values[0] for value in values) else None


AUTO = "auto"
ACCURACY_MARGIN = 0.01
"""One point: the margin of ``auto`` for accuracies; other metrics have none that fits all."""


def margin_of(given: float | str | None, own: Iterable[Study], metric: str) -> float | None:
    """Return the largest difference of a metric that does not matter; None: none is stated.

    Args:
        given: A number, ``auto``, or None for what the studies say (``auto`` where they differ).
        own: The studies of a workload.
        metric: The metric of the workload.

    Raises:
        InputError: It is no positive number.
    """
    wanted = agreed(own, "margin") if given is None else given
    if wanted is None or wanted == AUTO:
        return ACCURACY_MARGIN if metric == "accuracy" else None
    try:
        number = float(wanted)
    except (TypeError, ValueError):
        number = 0.0
    if not 0 < number < float("inf"):
        raise InputError(f"--margin {wanted}: must be a positive number such as 0.01, or {AUTO}")
    if metric == "accuracy" and number >= 1:
        raise InputError(
            f"--margin {number:g}: accuracy is a fraction from 0 to 1; {number / 100:g} would be "
            f"{number:g} points"
        )
    return number


def ingredients(own: Iterable[Study]) -> tuple[str, ...]:
    """Return what an ablation leaves out of its recipe; empty where studies are none."""
    own = list(own)
    asked = agreed(own, "ablation")
    return tuple(ingredients_in(agreed(own, "contenders") or [])) if asked else ()


def drawn_at_random(study: Study | None) -> bool:
    """Whether the trials of a study are draws that depend on no result: Sobol or random ones."""
    search = (study or {}).get("search")
    if not isinstance(search, dict):
        return False
    told = cast("dict[str, Any]", search)
    return told.get("method") in ("sobol", "random") and not told.get("recentre")
