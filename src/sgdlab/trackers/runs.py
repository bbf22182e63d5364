"""What is known of a run from its files: its name, settings and tags, and how it ended."""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sgdlab.errors import InputError
from sgdlab.results import SUMMARY_COLUMNS, Cell, flatten, read_config, read_summary
from sgdlab.trackers.base import Ending, TrackedRun

_UNSENT = ("defaults", "hydra", "names", "relative_paths", "import_from", "study")
_RESULTS = SUMMARY_COLUMNS[SUMMARY_COLUMNS.index("steps") :]
_TAGS = ("phase", "replicate", "trial", "contender")
_NO_NUMBERS = ("metric", "metric_direction")


def identity_of(directory: Path) -> str:
    """Return twelve hexadecimal digits that are those of a folder, however it is written."""
    return hashlib.sha256(os.path.realpath(directory).encode()).hexdigest()[:12]


def tracked(directory: Path) -> TrackedRun | None:
    """Return a run from its folder; None while its config is not there, or cannot be read."""
    path = Path(os.path.realpath(directory))
    try:
        config = read_config(path)
        started = (path / "config.yaml").stat().st_mtime
    except (InputError, OSError):
        return None
    names: Mapping[str, Any] = config.get("names") or {}
    study, phase = str(config.get("study") or ""), config.get("phase")
    settings = {k: v for k, v in config.items() if k not in _UNSENT}
    flat = flatten(settings) | {str(k): str(v) for k, v in names.items()}
    tags = {key: str(config[key]) for key in _TAGS if config.get(key) is not None}
    tags |= {"study": study} if study else {}
    tags["engine"] = str(config.get("engine"))
    optimizer, last = names.get("optimizer", "run"), path.name
    name = last if not study or optimizer in last else f"{optimizer}-{last}"
    home = path.parent.parent if phase else path.parent
    return TrackedRun(
        identity=identity_of(path),
        directory=path,
        study=study,
        study_directory=home,
        study_identity=identity_of(home),
        name=f"{phase}/{name}" if phase else name,
        settings=flat,
        tags=tags,
        started=started,
    )


def ending_of(directory: Path) -> Ending | None:
    """Return how a run ended; None while it has not."""
    try:
        found = read_summary(directory)
        time = (directory / "summary.csv").stat().st_mtime
    except (InputError, OSError):
        return None
    if found is None:
        return None
    return Ending(
        status=str(found["status"]),
        reason=str(found.get("reason") or ""),
        step=_whole(found.get("steps")),
        time=time,
        results={name: number for name in _RESULTS if (number := _number(found, name)) is not None},
        pictures=pictures_in(directory),
    )


def pictures_in(folder: Path) -> list[Path]:
    """Return the pictures in a folder that are not empty, by name."""
    found = (path for path in folder.glob("*.*") if path.suffix in (".svg", ".png"))
    return sorted(path for path in found if path.stat().st_size)


def _whole(cell: Cell) -> int:
    return int(cell) if isinstance(cell, int | float) else 0


def _number(found: Mapping[str, Cell], name: str) -> float | None:
    cell = found.get(name)
    if isinstance(cell, bool) or not isinstance(cell, int | float) or name in _NO_NUMBERS:
        return None
    return float(cell)
