"""The settings that determine a run: flat, and those that its summary does not tell."""

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from sgdlab.results.contract import Cell, text

OTHER_SETTINGS = "other_settings"
"""Column of ``summary.csv``, after those of the settings: a short hash of every setting that
determines the result and has no column. Where two runs agree in it and in their columns, their
configs agree, so that a table of thousands of runs is read with a handful of configs."""

# What a run is called, where it goes, what it runs on and how it is watched is no setting.
_LABELS = (
    "defaults", "names", "study", "phase", "trial", "replicate", "contender", "resume",
    "checkpoint", "hydra", "lr", "device", "seed", "threads", "evaluate_test",
    "diagnostics", "logger", "engine", "stacked", "experiment", "lesson",
)  # fmt: skip


def determining(config: Mapping[str, Any]) -> dict[str, Cell]:
    """Return the flat settings of a config that determine the result, the seed excepted."""
    own = {key: value for key, value in config.items() if key not in _LABELS}
    flat = flatten(without_later(own))
    flat.pop("scaling.candidates", None)  # which factors a sweep tries; each run has its own
    if (candidate := flat.get("scaling.candidate")) is not None:
        flat["scaling.candidate"] = float(candidate)  # as its column has it
    return {key: v for key, v in flat.items() if "._traits_." not in key}  # said, not set


_LATER = {"zero_grad": True}
"""Keys that came after runs had been made, with the value that those runs had."""


def without_later(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config without later keys that change nothing: it is the experiment it was."""
    return {key: v for key, v in config.items() if key not in _LATER or v != _LATER[key]}


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Cell]:
    """Return nested mappings as one, with dotted keys; lists become their JSON text."""
    flat: dict[str, Cell] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(cast("Mapping[str, Any]", value), f"{prefix}{key}.")
        elif value is None or isinstance(value, (str, int, float)):
            flat[f"{prefix}{key}"] = value
        else:
            flat[f"{prefix}{key}"] = text(value)
    return flat


def other_settings(config: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """Return the cell `OTHER_SETTINGS` of the summary of a run.

    Args:
        config: The resolved config of the run.
        summary: The other cells of its summary.
    """
    settings = determining(config)
    told = columns_that_tell(settings, summary)
    rest = {key: text(value) for key, value in settings.items() if key not in told}
    return "o" + hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()[:9]


def columns_that_tell(settings: Mapping[str, Cell], summary: Mapping[str, Any]) -> dict[str, str]:
    """Return, per setting that a cell of the summary tells exactly, the column of that cell.

    A setting of None is told by an empty cell, and by a column that is not there.
    """
    told: dict[str, str] = {}
    for key, value in settings.items():
        column = "base_lr" if key == "optimizer.lr" else key
        written = text(value)
        if text(summary.get(column)) == written and typed(written) == value:
            told[key] = column
    return told


@lru_cache(maxsize=2**16)
def typed(cell: str) -> Cell:
    """Return the value of a CSV cell: empty is None, numbers and booleans have their own type."""
    if cell == "":
        return None
    if cell in ("true", "false"):
        return cell == "true"
    for kind in (float,) if "." in cell else (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell
