"""Which engine has begun a run."""

from pathlib import Path

from sgdlab.errors import InputError
from sgdlab.results import read_config
from sgdlab.results.packed import is_there


def begun_by(directory: Path) -> str | None:
    """Return the engine that a run's directory names; None where none has begun it."""
    if not is_there(str(directory / "config.yaml")):
        return None
    try:
        return str(read_config(directory).get("engine"))
    except InputError:
        return None
