"""Builds a stack from its runs' configs and checkpoints."""

from collections.abc import Mapping, Sequence
from typing import Any

from sgdlab.config.job import Job
from sgdlab.diagnostics.running import COLUMNS
from sgdlab.errors import InputError
from sgdlab.results import BlockWriter, FileSum
from sgdlab.stacked.compiled.compiler import Compiler
from sgdlab.stacked.fit import StackFit
from sgdlab.stacked.group import Group, StackPlanner
from sgdlab.stacked.run import StackedRun
from sgdlab.stacked.stack import Stack
from sgdlab.training.checkpoint_files import tables_of
from sgdlab.training.evidence import evidence_of


def begin(
    planner: StackPlanner,
    group: Group,
    runs: Sequence[tuple[Job, Mapping[str, Any] | None]],
    compiler: Compiler | None,
    built: list[StackedRun],
) -> list[StackFit]:
    """Return the stack of some runs, ready to train; their folders hold what runs open with.

    A run whose folder cannot be opened fails alone.

    Args:
        planner: Builds the runs.
        group: The group that they belong to.
        runs: The runs, each with its checkpoint, if it has one; all at the same step.
        compiler: Compiles their updates; None leaves them uncompiled.
        built: Receives the runs as they are built, so that the caller has those built before a
            failure.

    Returns:
        The stack, in a list that is all that refers to it; empty when no run is left.
    """
    opened: list[StackedRun] = []
    weights: list[Mapping[str, Any]] = []
    states: list[Mapping[str, Any]] = []
    writers: dict[int, BlockWriter] = {}
    for job, state in runs:
        run, initial = planner.build(job, group)
        built.append(run)
        try:
            if state is not None:
                run.restore(state)
            run.folder.evidence = evidence_of(run.config, group.data.fingerprint, group.model)
            writers[id(run)] = _opened(run, group, compiler is not None, tables_of(state))
        except (OSError, InputError) as error:
            run.fail(error)
            continue
        opened.append(run)
        weights.append(initial if state is None else state["model"])
        if state is not None:
            states.append(state)
    if not opened:
        return []
    stack = Stack(group, opened, weights, compiler)
    if states:
        stack.restore(states, opened[0].progress.step)
    return [StackFit(stack, group, compiler, writers)]


def _opened(
    run: StackedRun, group: Group, compiled: bool, known: Mapping[str, FileSum] | None
) -> BlockWriter:
    """Write what a run opens with, and return the writer of its rows."""
    folder, at, device = run.folder, run.progress, group.data.train.x.device
    form = "written out" if group.stacked.written_out else "general"
    anew, data = at.step == 0, group.data.recorded()
    folder.begin(run.config, device, compiled, anew=anew, data=data, form=form)
    columns = COLUMNS if group.averages_every else ()
    name = group.metric.name
    folder.writer = BlockWriter(folder.directory, name, columns, at.step or None, known)
    return folder.writer
