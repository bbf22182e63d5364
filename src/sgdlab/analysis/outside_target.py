"""Targets from outside: what the best contender of another, longer study reached."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from sgdlab.analysis.audit.check import planned_name
from sgdlab.analysis.entries import entries, tracks
from sgdlab.analysis.load import Runs, load
from sgdlab.analysis.pairs import ranked
from sgdlab.analysis.questions import questions
from sgdlab.analysis.studies import studies
from sgdlab.analysis.targets import Target, choose
from sgdlab.analysis.workloads import WorkloadRuns
from sgdlab.checks import is_number
from sgdlab.errors import InputError

FROM_STUDY = "study:"
"""How a target begins that is the folder of a study."""

Given = float | str | Mapping[str, float] | None
"""A target as it is given: a number, a contender, or a number for each workload."""


def is_outside(target: object) -> bool:
    """Whether a target is the folder of a study."""
    return isinstance(target, str) and target.startswith(FROM_STUDY)


def outside_targets(target: str, epochs: Mapping[str, float]) -> dict[str, float]:
    """Return the target of each workload: what a study reached that none of the contenders is of.

    It is the median, over the final runs of the study's contender with the best mean, of their
    best validation metric (of two in the middle the less demanding one).

    Args:
        target: ``study:PATH``.
        epochs: How many epochs runs have, by the name of the workload.

    Raises:
        InputError: There is no such study, it lacks a workload, or its runs are shorter, so that
            contenders could be better than what they are to reach.
    """
    runs = load([Path(target.removeprefix(FROM_STUDY))])
    found: dict[str, float] = {}
    lengths: dict[str, float] = {}
    for part in questions(runs, studies(runs)):
        track = tracks(runs, part)[0]
        best_first = ranked(runs, part, entries(runs, part, track))
        reached = choose(runs, part, best_first[:1], best_first[0].optimizer)
        name = planned_name(runs, part)
        if reached.value is not None and name not in found:
            found[name] = reached.value
            lengths[name] = longest(runs, best_first[0].chosen)
    for name, own in epochs.items():
        if name not in found:
            there = ", ".join(found) or "nothing that completed"
            raise InputError(f"target={target}: has no final runs of {name}; it has {there}")
        if lengths[name] < own:
            raise InputError(
                f"target={target}: its runs of {name} have {lengths[name]:g} epochs, those that "
                f"are to reach it {own:g}; a target is of a study that trains as long, at least"
            )
    return {name: found[name] for name in epochs}


def longest(runs: Runs, rows: Sequence[int]) -> float:
    """Return the most epochs that any of some runs has; 0 where none tells."""
    cells = [runs.rows[row]["epochs"] for row in rows]
    return max((float(cell) for cell in cells if is_number(cell)), default=0.0)


def resolved(target: Any, runs: Runs, parts: Sequence[WorkloadRuns]) -> Any:
    """Return a target with the folder of a study replaced by a number for each workload.

    Raises:
        InputError: See `outside_targets`.
    """
    if not is_outside(target):
        return target
    epochs: dict[str, float] = {}
    for part in parts:
        name = planned_name(runs, part)
        epochs[name] = max(epochs.get(name, 0.0), longest(runs, part.rows))
    return outside_targets(target, epochs)


def of_workload(target: Any, runs: Runs, part: WorkloadRuns) -> float | str | None:
    """Return the target of one workload, of one for each of them."""
    if isinstance(target, Mapping):
        return cast("Mapping[str, float]", target).get(planned_name(runs, part))
    return target


def told(target: Target, origin: object) -> Target:
    """Return a target that says which study it is from, where it is from one."""
    if target.given and isinstance(origin, str) and origin:
        return Target(target.value, given=True, origin=origin)
    return target
