# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""What the names of runs say: of which group they are, and which of its runs."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import pandas as pd

from sgdlab.analysis.logs.options import compiled
from sgdlab.errors import InputError

GROUP, SEED, RUN = "contender", "seed", "run"
"""Columns made from names where no pattern says which."""

_NUMBERED = re.compile(
    r"^(?P<name>.*?)(?P<between>[-_./ ]*)(?P<word>seed|run|rep|replicate|try|s|r)?[-_=. ]?"
    r"(?P<number>\d+)$",
    re.IGNORECASE,
)


def by_pattern(names: Sequence[str], pattern: str) -> pd.DataFrame:
    """Return the groups of a pattern as columns, a row per name.

    Raises:
        InputError: A name does not match; names it.
    """
    expression = compiled(pattern, "--name")
    rows: list[dict[str, str | None]] = []
    for name in names:
        if (found := expression.search(name)) is None:
            raise InputError(f"--name {pattern!r}: does not match the run {name!r}")
        rows.append(found.groupdict())
    return pd.DataFrame(rows)


def told(names: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Return what names tell without a pattern, a row per name, and how they were read.

    Where all end in a number, what is before it is the group: ``adamw-seed3`` is seed 3 of adamw,
    ``record-a/run-7`` and ``record-a/7`` are runs of record-a, since numbers alone do not say that
    equal ones are pairs. Else the folder is the group, where folders hold several runs; else each
    run is a group of its own.
    """
    different = list(dict.fromkeys(names))
    found = [_NUMBERED.fullmatch(name) for name in different]
    whole = [match for match in found if match is not None and match["name"]]
    if len(whole) == len(different):
        words = {(match["word"] or "").lower() for match in whole}
        # A letter belongs to the name unless it stands apart: adams3 is none of seed 3.
        apart = all(match["between"] or len(match["word"] or "") > 1 for match in whole)
        if apart:
            column = SEED if words <= {"seed", "s"} else RUN
            parts = {m.string: (m["name"], int(m["number"])) for m in whole}
            table = pd.DataFrame([parts[name] for name in names], columns=[GROUP, column])
            return table, f"from names such as {different[0]!r}, the number is the {column}"
    folders = {name: PurePosixPath(name).parent.as_posix() for name in different}
    if 1 < len(set(folders.values())) < len(different):
        rows = [(folders[name], name) for name in names]
        return pd.DataFrame(rows, columns=[GROUP, RUN]), "the folder of each run"
    rows = [(name, name) for name in names]
    return pd.DataFrame(rows, columns=[GROUP, RUN]), "each run by its name"
