"""Builds a stack from its runs' configs and checkpoints."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from sgdlab.config.job import Job
from sgdlab.diagnostics.running import COLUMNS
from sgdlab.results import BlockWriter
from sgdlab.stacked import checkpoint
from sgdlab.stacked.compiler import Compiler
from sgdlab.stacked.fit import StackFit
from sgdlab.stacked.group import Group, StackPlanner
from sgdlab.stacked.model import StackedModel
from sgdlab.stacked.run import StackedRun
from sgdlab.stacked.stack import Stack
from sgdlab.stacked.tables import Tables


def begin(
    planner: StackPlanner,
    group: Group,
    runs: Sequence[tuple[Job, Mapping[str, Any] | None]],
    compiler: Compiler | None,
    members: list[StackedRun],
) -> StackFit:
    """Return runs as a stack, ready to train; their folders hold what runs open with.

    Args:
        planner: Builds the runs.
        group: That they belong to.
        runs: Each with its checkpoint, if it has one; all at the same step.
        compiler: None: uncompiled.
        members: Receives the runs as they are built, so that the caller has those built before a
            failure.
    """
    weights: list[Mapping[str, Any]] = []
    for job, state in runs:
        member, initial = planner.member(job, group)
        if state is not None:
            checkpoint.restore(member, state)
        members.append(member)
        weights.append(initial if state is None else state["model"])
    device = group.data.train.x.device

    def tables(rows: Sequence[StackedRun], ndims: Sequence[int]) -> Tables:
        dtype = getattr(torch, group.config.dtype)
        per_epoch = group.plan.steps_per_epoch
        return Tables(group.rule, rows, ndims, group.total_steps, per_epoch, device, dtype)

    # Layers hold running statistics; compiled ones have none, and share their code.
    model = StackedModel(group.model) if compiler is None else group.stacked
    stack = Stack(model, group.loss, group.rule, members, tables, device, weights, compiler)
    states = [state for _, state in runs if state is not None]
    if states:
        stack.restore(states, members[0].progress.step)

    def writer(member: StackedRun) -> BlockWriter:
        folder, at = member.folder, member.progress
        folder.begin(member.config, device, group.data.fingerprint, compiler is not None)
        columns = COLUMNS if group.averages_every else ()
        return BlockWriter(folder.directory, group.data.metric, columns, at.step or None)

    return StackFit(stack, group, compiler is not None, writer)
