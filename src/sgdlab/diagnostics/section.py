"""The section ``diagnostics`` of a config: its checks, and what it makes of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sgdlab.checks import require_flag, require_whole
from sgdlab.diagnostics.base import Conclusion, DiagnosticTable, Subject
from sgdlab.diagnostics.recorder import Recorder
from sgdlab.diagnostics.running import COLUMNS, Running
from sgdlab.errors import InputError, reason_of, suggest
from sgdlab.steps.streams import forked
from sgdlab.terminal.notices import warn

KEYS = ("every", "scalars", "quantities", "at_end")


def check_section(section: Mapping[str, Any]) -> None:
    """Refuse a section ``diagnostics`` that cannot be meant.

    Raises:
        InputError: Names the key and what would be right.
    """
    for key in map(str, section):
        if key not in KEYS:
            raise InputError(f"diagnostics.{key}: no such key; {suggest(key, KEYS)}")
    for key in KEYS:
        if key not in section:
            raise InputError(f"diagnostics.{key} is not set; diagnostics=economy has all keys")
    require_whole("diagnostics.every", section["every"], of="of steps")
    require_flag("diagnostics.scalars", section["scalars"])
    for key in ("quantities", "at_end"):
        parts = section[key]
        if not isinstance(parts, Mapping):
            raise InputError(f"diagnostics.{key}={parts}: must map names to sections")
        for name, part in parts.items():
            if not isinstance(part, Mapping) or "_target_" not in part:
                raise InputError(f"diagnostics.{key}.{name}={part}: needs a _target_")


@dataclass
class Diagnostics:
    """What is measured in a run.

    Attributes:
        every: Steps between two rows of the running averages.
        scalars: Whether there are running averages.
        subject: The run that conclusions look at.
        recorder: Measures the quantities; None when there are none.
        at_end: What is measured when the run has completed, by name.
    """

    every: int
    scalars: bool
    subject: Subject
    recorder: Recorder | None
    at_end: Mapping[str, Conclusion]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of ``steps.csv``."""
        return (
            *(COLUMNS if self.scalars else ()),
            *(self.recorder.columns if self.recorder else ()),
        )

    def running(self, state: list[float] | None = None) -> Running | None:
        """Return the running averages, new or as a checkpoint left them."""
        return Running(self.every, state or None) if self.scalars else None

    def conclude(self) -> dict[str, DiagnosticTable]:
        """Measure what belongs to the end; return tables by file name.

        What fails is left out, with a warning: the run itself has completed.
        """
        tables: dict[str, DiagnosticTable] = {}
        # Schedule-free methods train other weights than those that count.
        if self.subject.traits.averages_itself and self.at_end:
            self.subject.optimizer.eval()  # type: ignore[attr-defined]
        for name, conclusion in self.at_end.items():
            try:
                with forked():
                    tables |= conclusion.conclude(self.subject)
            except Exception as error:
                warn(f"diagnostics.at_end.{name}: {reason_of(error)}")
        return tables
