"""The GPUs of one machine, shared out among processes without a cluster."""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from sgdlab.checks import is_whole
from sgdlab.errors import InputError
from sgdlab.results.lock_file import LockFile

_BETWEEN_LOOKS = 0.1  # seconds


@dataclass(frozen=True)
class GpuSlots:
    """Places on GPUs, of which a process takes one as long as it trains.

    Attributes:
        devices: The GPUs, by their numbers.
        each: How many processes share one.
        folder: Where the places are locked: a place is free again when its process has died.
    """

    devices: tuple[int, ...]
    each: int
    folder: str

    @property
    def count(self) -> int:
        """The number of places."""
        return len(self.devices) * self.each

    @contextlib.contextmanager
    def place(self) -> Iterator[int]:
        """Wait for a free place; yield the number of its GPU, the least used one first."""
        os.makedirs(self.folder, exist_ok=True)
        while True:
            for number in range(self.count):  # every GPU once before any of them twice
                lock = LockFile(os.path.join(self.folder, str(number)))
                if lock.acquire():
                    try:
                        yield self.devices[number % len(self.devices)]
                    finally:
                        lock.release()
                    return
            time.sleep(_BETWEEN_LOOKS)

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Make one of the GPUs the current one of this thread."""
        with self.place() as number, torch.cuda.device(number):
            yield


def slots_of(devices: Any, share: float | None, count: int | None = None) -> GpuSlots | None:
    """Return the places that ``hydra.launcher.devices`` and ``gpus`` ask for; None: nothing does.

    Args:
        devices: ``all``, or the numbers of GPUs, or None.
        share: The share of a GPU that a process needs; None: a whole one.
        count: The GPUs of this machine; None: as torch counts them.

    Raises:
        InputError: There are no such GPUs here.
    """
    if devices is None and share is None:
        return None
    there = torch.cuda.device_count() if count is None else count
    typed = f"hydra.launcher.devices={devices}" if devices else f"hydra.launcher.gpus={share}"
    if there == 0:
        raise InputError(
            f"{typed}: torch {torch.__version__} sees no CUDA device here; leave it out"
        )
    if share is not None and share > 1:
        raise InputError(f"{typed}: a run of these launchers trains on one GPU; at most 1")
    numbers = list(range(there)) if devices in (None, "all") else devices
    if not isinstance(numbers, list) or not numbers or not _are_numbers(numbers, there):
        raise InputError(f"{typed}: must be all, or a list of numbers from 0 to {there - 1}")
    each = 1 if share is None else max(1, int(1 / share + 1e-9))
    key = f"sgdlab-gpus-{os.getuid() if hasattr(os, 'getuid') else 0}"
    return GpuSlots(tuple(numbers), each, os.path.join(tempfile.gettempdir(), key))


def _are_numbers(numbers: list[Any], there: int) -> bool:
    whole = all(is_whole(number, 0) and number < there for number in numbers)
    return whole and len(set(numbers)) == len(numbers)
