"""What a user says of logs: `LogOptions`; and the columns that readers add."""

import re
from dataclasses import dataclass

from sgdlab.errors import InputError

NAME, FILE = "(run)", "(file)"
"""Columns that readers add: the name of a run, and the file that it is from."""


@dataclass(frozen=True)
class LogOptions:
    """Which columns are what; what is empty is inferred.

    Attributes:
        group: Columns whose values are compared, such as ``optimizer``.
        unit: The column whose equal values are pairs, such as ``seed``; ``row``: the rows of a
            wide table.
        metric: The column of the values.
        direction: ``min`` or ``max``.
        workload: Columns that tell what was compared on, such as ``dataset``.
        step: The column that counts steps, where a run has several rows.
        patterns: Regular expressions with named groups for the lines of text logs.
        name: A regular expression with named groups for the names of runs.
    """

    group: tuple[str, ...] = ()
    unit: str = ""
    metric: str = ""
    direction: str = ""
    workload: tuple[str, ...] = ()
    step: str = ""
    patterns: tuple[str, ...] = ()
    name: str = ""


def compiled(pattern: str, option: str) -> re.Pattern[str]:
    """Return a regular expression that names groups.

    Args:
        pattern: The expression.
        option: The option that it was given by.

    Raises:
        InputError: It is none, or names no group.
    """
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise InputError(f"{option} {pattern!r}: no regular expression: {error}") from None
    if not found.groupindex:
        right = r"such as '(?P<step>\d+) (?P<loss>[\d.]+)'"
        raise InputError(f"{option} {pattern!r}: names no group; write (?P<NAME>…), {right}")
    return found
