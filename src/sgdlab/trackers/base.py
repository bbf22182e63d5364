"""What a tracker is to the rest: three small protocols, and what they are given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

Record = dict[str, str]
"""How much of a run's files was sent, by file, as `sgdlab.trackers.tables.FilePosition.text`."""

UNCERTAIN: Record = {"steps.csv": "?"}
"""The record of a run of which nobody knows how much was sent: it is sent anew."""


class StepPoint(NamedTuple):
    """The numbers of one step.

    Attributes:
        step: The updates that were made.
        time: When, in seconds since 1970.
        values: The numbers by their names, such as ``step/loss``.
    """

    step: int
    time: float
    values: dict[str, float]


@dataclass(frozen=True)
class TrackedRun:
    """One run as trackers see it.

    Attributes:
        identity: Twelve hexadecimal digits made from its folder: the same folder is the same run.
        directory: The run directory, absolute.
        study: The sweep or comparison that it belongs to; empty for a single run.
        study_directory: The folder of the study.
        study_identity: Likewise twelve digits, of that folder.
        name: What it is called within its study, such as ``final/adamw-r0123456789``.
        settings: Its config, flat: ``optimizer`` is the member's name, ``optimizer.lr`` a setting.
        tags: What it is sorted by: ``study``, ``phase``, ``replicate``, ``contender``, ….
        started: When its files were begun, in seconds since 1970.
    """

    identity: str
    directory: Path
    study: str
    study_directory: Path
    study_identity: str
    name: str
    settings: Mapping[str, str | int | float | bool | None]
    tags: Mapping[str, str]
    started: float

    @property
    def group(self) -> str:
        """The study, or what single runs are gathered under."""
        return self.study or "train"


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        status: That of its summary, such as ``diverged``.
        reason: Why, where there is a reason.
        step: The last step.
        time: When, in seconds since 1970.
        results: The numbers of its summary by name, such as ``final_val_loss``.
        pictures: Files of its figures.
    """

    status: str
    reason: str
    step: int
    time: float
    results: Mapping[str, float]
    pictures: Sequence[Path]


class Sink(Protocol):
    """Takes what belongs to one run; made again in a later process, it goes on where it was."""

    def record(self) -> Record:
        """Return what was kept with the run in the tracker's store; empty for a new one."""
        ...

    def reset(self) -> None:
        """Take away what was sent: the run was made anew with other numbers."""
        ...

    def send(self, points: Sequence[StepPoint], record: Record) -> None:
        """Store numbers, and with them how much of the files they make up."""
        ...

    def end(self, ending: Ending, record: Record) -> None:
        """Store how the run ended; called again where its summary has changed."""
        ...

    def close(self) -> None:
        """Leave the run, which may not have ended."""
        ...


class Tracker(Protocol):
    """A tracker: its settings are the parameters of its constructor, the first one its place.

    Attributes:
        extra: The extra of sgdlab that brings its package.
        package: The module that has to be there.
        most_open: How many runs are followed at once; further ones are sent when they have ended.
        every: Steps between those that are sent of ``steps.csv``; evaluations are all sent.
        pictures: The endings of the pictures that it shows, the best first.
    """

    extra: str
    package: str
    most_open: int
    every: int
    pictures: Sequence[str]

    def check(self) -> str:
        """Return where it sends to, in words; quick, and without its package.

        Raises:
            InputError: It cannot send there.
        """
        ...

    def open(self) -> None:
        """Import its package and reach its store."""
        ...

    def sink(self, run: TrackedRun) -> Sink:
        """Return what takes the numbers of a run."""
        ...

    def study(self, run: TrackedRun, files: Sequence[Path]) -> None:
        """Store the report of a study and its figures, in place of those sent before.

        Args:
            run: Any run of the study.
            files: ``report.html`` and pictures.
        """
        ...

    def close(self) -> None:
        """Leave the store."""
        ...
