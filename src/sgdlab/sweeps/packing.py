"""The runs of a very large sweep, packed while it goes on, so that its files stay few."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from omegaconf import DictConfig

from sgdlab.config.job import Job
from sgdlab.config.resolve import logger_of
from sgdlab.errors import InputError
from sgdlab.results import folders
from sgdlab.results.lock import each_held
from sgdlab.results.pack import pack
from sgdlab.results.packed_parts import PACKED, parquet
from sgdlab.terminal.notices import warn

MANY = 10_000
"""Runs of a sweep that is packed, at least, and of those that have a folder each, at most."""


def is_packed(master: DictConfig, runs: int) -> bool:
    """Say whether the runs of a sweep are packed as they end.

    Args:
        master: The config of the sweep.
        runs: How many runs it has.
    """
    if runs < MANY or logger_of(master):  # trackers follow the files of a folder
        return False
    try:
        parquet()
    except InputError as error:
        warn(f"{runs:,} runs keep a folder each: {error}")
        return False
    return True


def portions(jobs: Sequence[Job]) -> Iterator[Sequence[Job]]:
    """Yield the jobs in portions, after each of which their runs are packed."""
    for begin in range(0, len(jobs), MANY):
        yield jobs[begin : begin + MANY]


def pack_ended(study: Path) -> None:
    """Pack the runs of a study that have ended and that no other process holds.

    What keeps them from being packed is told, and they stay as they are.
    """
    runs = [Path(run) for run in folders([study])[0] if os.path.isdir(run)]
    own = study / PACKED
    with each_held([own, *runs]) as others:
        free = [str(run) for run in runs if run not in others]
        if own in others or not free:  # another sweep of the study packs
            return
        try:
            pack(study, runs=free)
        except InputError as error:
            warn(f"not packed: {error}")
