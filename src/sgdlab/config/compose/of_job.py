"""A job in messages: as it was typed, and what Hydra says of it."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from omegaconf import DictConfig

from sgdlab.config.explain import COMPLAINTS, explain
from sgdlab.config.paths import own_folders
from sgdlab.errors import InputError


@contextlib.contextmanager
def explained(master: DictConfig, overrides: Sequence[str]) -> Iterator[None]:
    """Turn what Hydra says of a job into one line that ends with the job.

    Raises:
        InputError: The line.
    """
    try:
        yield
    except COMPLAINTS as error:
        own = next((Path(f) for f in own_folders(master.hydra.runtime)), None)
        line = explain(error, master.hydra.job.config_name, own, overrides)
        raise InputError(f"{line} (in the run {typed(overrides)})") from error


def typed(overrides: Sequence[str]) -> str:
    """Return the overrides of a job as they were typed, without the study's name."""
    return " ".join(o for o in overrides if not o.startswith("study="))
