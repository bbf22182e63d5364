"""A report from archives of studies, as from their folders."""

import contextlib
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sgdlab.errors import InputError
from sgdlab.report.build import Report, build
from sgdlab.report.charts.files import DEFAULT_FORMATS
from sgdlab.report.origin import Origin
from sgdlab.results.lock import REFUSE
from sgdlab.results.unbundle import unpack


def from_bundles(
    places: Sequence[Path],
    out: Path,
    target: float | str | None = None,
    margin: float | str | None = None,
    formats: Sequence[str] = DEFAULT_FORMATS,
    lock: str = REFUSE,
    by: Sequence[str] | None = None,
) -> Report:
    """Write a report about archives of `sgdlab bundle`, and folders beside them.

    Args:
        places: Archives and folders.
        out: The folder of the report; made when missing.
        target: See `sgdlab.report.build`, also for those that follow.
        margin: Likewise.
        formats: Likewise.
        lock: Likewise.
        by: Likewise.

    Raises:
        InputError: A file is no archive of a study, or one that would lead elsewhere.
    """
    with tempfile.TemporaryDirectory(prefix="sgdlab-") as name:
        temporary = Path(name).resolve()
        roots, bundles, problems = _roots(places, temporary)
        origin = Origin(list(map(str, places)), str(out), bundles, problems)
        # From there its runs are named as in the archive, not by a folder that is gone at the end.
        whole_out = out.absolute()
        with contextlib.chdir(temporary):
            report = build(roots, whole_out, target, margin, formats, lock, by, origin)
    return replace(report, out=out)


def _roots(places: Sequence[Path], temporary: Path) -> tuple[list[Path], list[str], list[str]]:
    """Return the folders to read, the archives, and what is wrong in those."""
    roots: list[Path] = []
    bundles: list[str] = []
    problems: list[str] = []
    for number, place in enumerate(places):
        if not place.is_file():
            roots.append(place.absolute())
            continue
        own = temporary / f".{number}"
        own.mkdir()
        found = unpack(place, own)
        bundles.append(str(place))
        problems += found.problems
        if (temporary / found.name).exists():
            raise InputError(f"{place}: a second bundle of a study named {found.name}; unpack them")
        (own / found.name).rename(temporary / found.name)
        roots.append(Path(found.name))
    return roots, bundles, problems
