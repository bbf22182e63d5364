"""Which runs minimised the same loss: values of different losses are no two points of one scale."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sgdlab.results import Cell

_TARGET = "loss._target_"


def loss_names(
    configs: Sequence[Mapping[str, Cell]], rows: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return for each run what tells its loss from those of the others; empty if all are one.

    Two losses are the same where all settings ``loss.*`` and what the targets are (``task``,
    ``standardize.*``) agree. A run whose config cannot be read is told apart by nothing.

    Args:
        configs: The flat settings of each run.
        rows: The summary of each run.
    """
    known = {id(config): _of(config) for config in configs}
    of_runs = [known[id(config)] for config in configs]
    found = [dict(items) for items in dict.fromkeys(of_runs) if items]
    if len(found) < 2:
        return [""] * len(rows)
    return [
        _said(dict(own), row, found) if own else "" for own, row in zip(of_runs, rows, strict=True)
    ]


def _of(config: Mapping[str, Cell]) -> tuple[tuple[str, Cell], ...]:
    ours = [
        (key, value) for key, value in config.items()
        if key == "task" or key.startswith(("loss.", "standardize."))
    ]  # fmt: skip
    return tuple(sorted(ours, key=repr))


def _said(
    own: Mapping[str, Cell], row: Mapping[str, Any], found: Sequence[Mapping[str, Cell]]
) -> str:
    """Say the name of a loss where names differ, and what tells it from others of its name."""
    alike = [other for other in found if other.get(_TARGET) == own.get(_TARGET)]
    target = re.split(r"[.:]", str(own.get(_TARGET, "?")))[-1]
    parts = [f"loss={row.get('loss') or target}"] if len(alike) < len(found) else []
    differing = [key for key in own if len({repr(other.get(key)) for other in alike}) > 1]
    return " ".join([*parts, *(f"{key}={own[key]}" for key in differing)])
