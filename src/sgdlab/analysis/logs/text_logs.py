"""Reads text logs by regular expressions with named groups."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from sgdlab.analysis.logs.options import FILE, compiled
from sgdlab.errors import InputError


def read(path: Path, patterns: Sequence[str]) -> pd.DataFrame:
    """Return a row per match of the last pattern; a log is a run.

    What the other patterns match holds from their line on, in the columns that their groups name:
    a setting that a run prints once, or the time that it prints before the loss.

    Args:
        path: The log. What is no UTF-8 in it is shown as �, and matches nothing.
        patterns: Regular expressions, searched for in each line.

    Raises:
        InputError: A pattern is none or names no group, or the last one matches no line.
    """
    *before, last = [compiled(pattern, "--pattern") for pattern in patterns]
    state: dict[str, str] = {}
    rows: list[dict[str, str]] = []
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            for expression in before:
                for found in expression.finditer(line):
                    state |= _told(found.groupdict())
            rows += [{**state, **_told(found.groupdict())} for found in last.finditer(line)]
    if not rows:
        raise InputError(f"{path}: no line matches --pattern {patterns[-1]!r}")
    return pd.DataFrame(rows).assign(**{FILE: str(path)})


def _told(groups: dict[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in groups.items() if value is not None}
