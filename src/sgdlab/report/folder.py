"""The folder of a report: what is its own there, and what came from elsewhere."""

import re
from collections.abc import Iterable
from pathlib import Path

from sgdlab.errors import InputError
from sgdlab.report.charts.files import FORMATS
from sgdlab.results import RUNS, RUNS_BEGIN, Replacement, Written, shows

EARLIER = "earlier"
"""Folder in that of a report for what an older version of sgdlab has left, which kept no record."""

_TITLE = " · sgdlab</title>".encode()
_OWN = re.compile(rf"figures/[^/]+\.(?:{'|'.join(FORMATS)})|winner-[^/]+\.py")


class ReportFolder:
    """The folder that a report is written into.

    Args:
        out: The folder; made when missing.
        roots: Where the runs are: no link that lies there leads the report elsewhere.

    Raises:
        InputError: It cannot be one.
    """

    def __init__(self, out: Path, roots: Iterable[Path]) -> None:
        if out.is_symlink() and any(_is_in(out, root) for root in roots):
            raise InputError(f"{out}: a link; name the folder of the report with --out")
        self._out = out
        self._written = Written(out, "move it, or choose another folder with --out")
        self._older: list[str] = []

    def refuse_others(self, names: Iterable[str]) -> None:
        """Refuse to replace what is not of a report, or was changed since.

        Raises:
            InputError: Names the file; nothing was written.
        """
        names = list(names)
        # Files of an older version are kept, whatever a person has made of them.
        is_older = not self._written.names and shows(self._out / "report.html", [_TITLE])

        def came_before(name: str) -> bool:
            return is_older or (name == RUNS and shows(self._out / name, [RUNS_BEGIN]))

        self._written.refuse_others(names, came_before)
        self._older = [
            name for name in names if (self._out / name).exists() and not self._written.holds(name)
        ]

    def replacement(self) -> Replacement:
        """Return what takes the files of the report, all of them or none."""
        return Replacement(self._written)

    def commit(self, replacement: Replacement) -> Path | None:
        """Put the files into their places; return where those of an older version went."""
        aside = self._set_aside() if self._older else None
        replacement.commit(lambda name: _OWN.fullmatch(name) is not None)
        return aside

    def _set_aside(self) -> Path:
        number, aside = 1, self._out / EARLIER
        while aside.exists() or aside.is_symlink():
            number += 1
            aside = self._out / f"{EARLIER}-{number}"
        for name in self._older:
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            (self._out / name).rename(aside / name)
        return aside


def _is_in(place: Path, root: Path) -> bool:
    return place.parent.resolve().is_relative_to(root.resolve())
