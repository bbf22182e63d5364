"""What each run of a stack has taken of time and memory."""

import time
from collections.abc import Mapping

import torch

from sgdlab.stacked.run import StackedRun
from sgdlab.training.environment import PeakMemory
from sgdlab.training.pauses import exceeded


class Shares:
    """Divides the time and the memory of a stack by the number of its runs.

    Args:
        device: Where the stack trains.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._memory: PeakMemory | None = None
        self._seconds, self._seen = 0.0, time.monotonic()

    def over(self, runs: Mapping[int, StackedRun]) -> dict[int, str]:
        """Return the runs whose share exceeds a limit of theirs, and which.

        Args:
            runs: The runs that have trained since the last call, by row.
        """
        now = time.monotonic()
        self._seconds += (now - self._seen) / max(len(runs), 1)
        self._seen = now
        limited = {
            row: run.config.limits
            for row, run in runs.items()
            if run.config.limits.seconds is not None or run.config.limits.memory is not None
        }
        memory = self._peak(len(runs)) if limited else None
        found = {row: exceeded(limits, self._seconds, memory) for row, limits in limited.items()}
        return {row: why for row, why in found.items() if why is not None}

    def _peak(self, count: int) -> float | None:
        self._memory = self._memory or PeakMemory(self._device)
        peak = self._memory.bytes()
        return None if peak is None else peak / count
