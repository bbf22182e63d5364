"""A single run as a stack of one: asked for, or to be compiled."""

from dataclasses import replace
from pathlib import Path

from sgdlab.config.job import Job
from sgdlab.config.schema import RunConfig
from sgdlab.errors import InputError
from sgdlab.results import Cell, read_summary
from sgdlab.stacked import proof
from sgdlab.stacked.begun import begun_by
from sgdlab.stacked.compiled.plan import plan
from sgdlab.stacked.group import Group, StackPlanner
from sgdlab.stacked.launch import failure, train_group
from sgdlab.training.build import Run
from sgdlab.training.steplog import ProgressDisplay

One = tuple[StackPlanner, Group]


def stack_of_one(config: RunConfig) -> One:
    """Return what trains a single run as in a stack, to the last bit as among others.

    Raises:
        InputError: The run cannot be stacked; says why.
    """
    planner, group, reason = _stack(config)
    if group is None or reason is not None:
        raise InputError(f"engine=stacked: {reason}; set engine=sequential")
    return planner, group


def compiled_alone(config: RunConfig, run: Run, directory: Path) -> One | None:
    """Return a stack of one where compiled code repays itself, else None.

    A run goes on by the engine that has begun it.

    Args:
        config: The resolved config.
        run: What it builds.
        directory: The run's.
    """
    may = config.engine == config.compile == config.stacked.compile == "auto" and not config.isolate
    if not may or run.device.type != "cpu":
        return None
    if (begun_by(directory) if config.resume else None) == "sequential":
        return None
    planner, group, reason = _stack(config)
    if group is None or reason is not None or plan(group) is None:
        return None
    return planner, group


def _stack(config: RunConfig) -> tuple[StackPlanner, Group | None, str | None]:
    planner = StackPlanner()
    groups, others = planner.of([Job(config, "", Path())])
    if others:
        return planner, None, next(iter(others))
    (group,) = groups
    return planner, group, failure(group) or proof.refusal(planner, group)


def train_alone(
    one: One, run_id: str, directory: Path, display: ProgressDisplay | None = None
) -> dict[str, Cell]:
    """Train the run of a stack of one, which is not finished; return its summary.

    Args:
        one: The stack.
        run_id: The id of the run.
        directory: Its directory.
        display: Told of every step and evaluation.
    """
    planner, group = one
    job = Job(group.config, run_id, directory)
    train_group(planner, replace(group, display=display), [job])
    summary = read_summary(directory)
    assert summary is not None
    return summary
