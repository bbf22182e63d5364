"""What steps were measured to cost on this machine, kept for the next time."""

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sgdlab.results import atomic_write

# Gains below this are within what measurements differ by.
_MARGIN = 1.05


@dataclass(frozen=True)
class Measured:
    """What a step of a run costs, in seconds.

    Attributes:
        alone: By the ordinary engine.
        stacked: The share of a run in a step of a stack, by the number of its runs.
    """

    alone: float
    stacked: dict[int, float]

    def best(self, runs: int) -> int:
        """Return the size of the stacks in which so many runs are fastest."""
        sizes = [size for size in self.stacked if size <= max(runs, 2)] or list(self.stacked)
        return min(sizes, key=lambda size: self.stacked[size])

    def refusal(self, runs: int) -> str | None:
        """Return why so many runs are faster one by one; None where stacks are."""
        least = self.stacked[self.best(runs)]
        if least * _MARGIN <= self.alone:
            return None
        took = f"{least * 1e3:.3g} ms a step, alone {self.alone * 1e3:.3g}"
        return f"a stack was measured to gain nothing ({took})"


class MeasuredFile:
    """The measurements of one kind of group, in ``$XDG_CACHE_HOME/sgdlab`` or ``~/.cache/sgdlab``.

    It has the hash of all that decides what a step costs in its name. It may be removed at any
    time: then what was measured is measured again. A folder that cannot be written keeps nothing.

    Args:
        made_by: What the cost of a step depends on.
    """

    def __init__(self, made_by: Any) -> None:
        digest = hashlib.sha256(json.dumps(made_by).encode()).hexdigest()[:32]
        folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sgdlab"
        self._file = folder / f"step-{digest}.json"

    def read(self) -> Measured | None:
        """Return what is known; None where nothing is."""
        try:
            content = json.loads(self._file.read_text(encoding="utf-8"))
            stacked = {int(runs): float(value) for runs, value in content["stacked"].items()}
            return Measured(float(content["alone"]), stacked) if stacked else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, measured: Measured) -> None:
        """Keep measurements: whoever sees some sees all."""
        content = json.dumps({"alone": measured.alone, "stacked": measured.stacked})
        with contextlib.suppress(OSError):
            atomic_write(self._file, content, durable=False)
