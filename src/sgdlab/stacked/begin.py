"""Builds a stack from its runs' configs and checkpoints."""

from collections.abc import Mapping, Sequence
from typing import Any

from sgdlab.config.job import Job
from sgdlab.diagnostics.running import COLUMNS
from sgdlab.results import BlockWriter
from sgdlab.stacked.compiler import Compiler
from sgdlab.stacked.fit import StackFit
from sgdlab.stacked.group import Group, StackPlanner
from sgdlab.stacked.run import StackedRun
from sgdlab.stacked.stack import Stack


def begin(
    planner: StackPlanner,
    group: Group,
    runs: Sequence[tuple[Job, Mapping[str, Any] | None]],
    compiler: Compiler | None,
    built: list[StackedRun],
) -> StackFit:
    """Return runs as a stack, ready to train; their folders hold what runs open with.

    Args:
        planner: Builds the runs.
        group: The group that they belong to.
        runs: The runs, each with its checkpoint, if it has one; all at the same step.
        compiler: Compiles their updates; None leaves them uncompiled.
        built: Receives the runs as they are built, so that the caller has those built before a
            failure.
    """
    weights: list[Mapping[str, Any]] = []
    for job, state in runs:
        run, initial = planner.build(job, group)
        if state is not None:
            run.restore(state)
        built.append(run)
        weights.append(initial if state is None else state["model"])
    stack = Stack(group, built, weights, compiler)
    states = [state for _, state in runs if state is not None]
    if states:
        stack.restore(states, built[0].progress.step)

    def writer(run: StackedRun) -> BlockWriter:
        folder, at = run.folder, run.progress
        folder.begin(run.config, stack.device, group.data.fingerprint, compiler is not None)
        columns = COLUMNS if group.averages_every else ()
        return BlockWriter(folder.directory, group.data.metric, columns, at.step or None)

    return StackFit(stack, group, compiler is not None, writer)
