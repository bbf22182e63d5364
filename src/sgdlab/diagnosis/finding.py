"""What a diagnosis consists of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sgdlab.terminal.plot import Mark, PlotLine

Severity = Literal["problem", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("problem", "warning", "note")
"""Worst first. A note is no alarm: a run with notes alone is healthy."""


@dataclass(frozen=True)
class Picture:
    """What the evidence looks like; see `sgdlab.terminal.plot.plot`."""

    curves: tuple[PlotLine, ...]
    y_label: str
    x_label: str = "step"
    marks: tuple[Mark, ...] = ()
    log_y: bool = False


@dataclass(frozen=True)
class Finding:
    """A symptom that a run shows.

    Attributes:
        symptom: Its name, one of those in ``docs/diagnose.md``.
        severity: Whether the run is spoilt, suffers, or merely has this property.
        title: The finding in one line.
        evidence: Steps and values, a sentence each.
        cause: The likely cause.
        action: What to try first: a command to copy, or what to do outside of sgdlab.
        confirm: What would show that this was the cause.
        plot: The evidence as a picture.
        explains: Symptoms that follow from this one, and are not listed beside it.
    """

    symptom: str
    severity: Severity
    title: str
    evidence: Sequence[str]
    cause: str
    action: str
    confirm: str
    plot: Picture | None = None
    explains: tuple[str, ...] = ()

    @property
    def is_alarm(self) -> bool:
        """Whether something should be done."""
        return self.severity != "note"

    def as_dict(self) -> dict[str, Any]:
        """Return all but the picture as plain values."""
        told = {k: v for k, v in vars(self).items() if k not in ("plot", "explains")}
        return {**told, "evidence": list(self.evidence)}


@dataclass(frozen=True)
class Diagnosis:
    """All that was found in one run.

    Attributes:
        findings: Worst first.
        unchecked: Symptoms that could not be looked for, and why.
    """

    findings: Sequence[Finding] = field(default_factory=tuple[Finding, ...])
    unchecked: Sequence[tuple[str, str]] = field(default_factory=tuple[tuple[str, str], ...])

    @property
    def alarms(self) -> list[Finding]:
        """Problems and warnings."""
        return [finding for finding in self.findings if finding.is_alarm]
