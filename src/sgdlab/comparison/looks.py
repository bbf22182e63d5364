"""When a comparison looks at its verdict: after which replicates, and which looks there were."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from sgdlab.checks import require_whole
from sgdlab.errors import InputError
from sgdlab.results import MADE_LOOKS, PLANNED_LOOKS, look_counts, read_study

AUTO = "auto"
"""The value of ``replicates`` that adds batches of them until the question is decided."""

BATCH = 5
"""Replicates between two looks: those of one standard comparison."""


def most_replicates(master: DictConfig) -> int:
    """Return the replicates of a comparison, at most.

    Raises:
        InputError: ``replicates`` is no whole number and not ``auto``, or ``max_replicates`` none.
    """
    require_whole("max_replicates", master.max_replicates)
    if master.replicates == AUTO:
        return int(master.max_replicates)
    if isinstance(master.replicates, str):
        raise InputError(
            f"replicates={master.replicates}: must be a whole number from 1, or {AUTO}"
        )
    require_whole("replicates", master.replicates)
    return int(master.replicates)


def planned(master: DictConfig) -> tuple[int, ...]:
    """Return the replicates at every look: one look, or one after each batch."""
    most = most_replicates(master)
    if master.replicates != AUTO:
        return (most,)
    return (*range(BATCH, most, BATCH), most)


@dataclass(frozen=True)
class StudyLooks:
    """The looks of a study: those that were made, and those to come.

    Attributes:
        made: The replicates at each look so far, in this and earlier commands.
        plan: Those of all looks that were planned before the first; empty where none was.
        ahead: Those at which this command looks. Where it adds batches, that is the last look that
            was made, too, so that a comparison that has ended ends at once.
    """

    made: tuple[int, ...]
    plan: tuple[int, ...]
    ahead: tuple[int, ...]

    @classmethod
    def of(cls, master: DictConfig, folder: Path) -> "StudyLooks":
        """Return the looks of the comparison in a folder, which may have been begun before.

        Raises:
            InputError: It has more replicates already than this command asks for.
        """
        before = read_study(folder)
        here = planned(master)
        several = here if master.replicates == AUTO else ()
        if before is None:
            return cls((), several, here)
        made = _made(before, folder)
        last = made[-1] if made else 0
        if last > here[-1] or _replicates(before) > here[-1]:
            key = "max_replicates" if master.replicates == AUTO else "replicates"
            have = max(last, _replicates(before))
            raise InputError(
                f"{key}={here[-1]}: {folder} has {have} replicates already; give {have} or more, "
                "or choose another study=NAME"
            )
        ahead = tuple(count for count in here if count > last)
        return cls(
            made,
            look_counts(before, PLANNED_LOOKS) if made else several,
            ((last,) if last else ()) + ahead,
        )

    def after(self, count: int) -> "StudyLooks":
        """Return the looks after one at so many replicates."""
        return self if count in self.made else replace(self, made=(*self.made, count))

    def recorded(self) -> dict[str, Any]:
        """Return what ``study.yaml`` has of them."""
        plan = {PLANNED_LOOKS: list(self.plan)} if self.plan else {}
        return {MADE_LOOKS: list(self.made), **plan}


def _made(before: Mapping[str, Any], folder: Path) -> tuple[int, ...]:
    """Return the looks that a study records; one with a report of an older version was one."""
    if MADE_LOOKS in before:
        return look_counts(before, MADE_LOOKS)
    looked = (folder / "report" / "report.html").is_file()
    return (_replicates(before),) if looked and _replicates(before) else ()


def _replicates(before: Mapping[str, Any]) -> int:
    value = before.get("replicates")
    return value if isinstance(value, int) else 0


def said(count: int, ahead: Sequence[int], *, settled: bool) -> str:
    """Return the line for a person after a look.

    Args:
        count: The replicates that there are.
        ahead: Those at the looks to come.
        settled: Whether the question is decided.
    """
    if settled:
        return f"{count} replicates: decided"
    if not ahead:
        return f"{count} replicates: undecided, and the budget of replicates ends"
    return f"{count} replicates: undecided, {ahead[0] - count} more"
