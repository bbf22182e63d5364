"""Builds a stack from its runs' configs and checkpoints, and writes what runs leave."""

import dataclasses
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from sgdlab.diagnostics.running import COLUMNS
from sgdlab.errors import reason_of
from sgdlab.results import (
    FAILED,
    BlockWriter,
    write_config,
    write_environment,
    write_error,
    write_summary,
)  # fmt: skip
from sgdlab.stacked import checkpoint
from sgdlab.stacked.compiler import Compiler
from sgdlab.stacked.fit import StackFit
from sgdlab.stacked.group import Group, StackPlanner
from sgdlab.stacked.model import StackedModel
from sgdlab.stacked.run import Job, StackedRun
from sgdlab.stacked.shared import Shared
from sgdlab.stacked.stack import Stack
from sgdlab.stacked.tables import Tables
from sgdlab.training.environment import environment
from sgdlab.training.state import Outcome
from sgdlab.training.summary import summary_of


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
    section = group.settled["diagnostics"]
    shared = Shared(
        data=group.data,
        plan=group.plan,
        total_steps=group.total_steps,
        eval_every=group.settled["eval"]["every"],
        eval_batch_size=group.settled["eval"]["batch_size"],
        checkpoint_every=group.settled["checkpoint"]["every"],
        averages_every=section["every"] if section["scalars"] else None,
        compiled=compiler is not None,
    )
    device = group.data.train.x.device

    def tables(rows: Sequence[StackedRun], ndims: Sequence[int]) -> Tables:
        dtype = getattr(torch, group.settled["dtype"])
        per_epoch = group.plan.steps_per_epoch
        return Tables(group.rule, rows, ndims, group.total_steps, per_epoch, device, dtype)

    # Layers hold running statistics; compiled ones have none, and share their code.
    model = StackedModel(group.model) if compiler is None else group.stacked
    stack = Stack(model, group.loss, group.rule, members, tables, device, weights, compiler)
    states = [state for _, state in runs if state is not None]
    if states:
        stack.restore(states, members[0].progress.step)
    head = environment(device, group.data.fingerprint)

    def writer(member: StackedRun) -> BlockWriter:
        _write_head(member, head, shared.compiled)
        at = member.progress
        columns = COLUMNS if shared.averages_every else ()
        return BlockWriter(member.job.directory, group.data.metric, columns, at.step or None)

    return StackFit(stack, shared, writer, end)


def _write_head(member: StackedRun, head: Mapping[str, Any], compiled: bool) -> None:
    settled = member.job.settled
    how = {**settled["stacked"], "compile": compiled}
    write_config(member.job.directory, {**settled, "engine": "stacked", "stacked": how})
    write_environment(member.job.directory, head)


def end(member: StackedRun, outcome: Outcome) -> None:
    """Write the summary of a run that has ended."""
    job = member.job
    member.ended = True
    summary = summary_of(job.settled, job.run_id, outcome, member.built, "stacked")
    write_summary(job.directory, summary)
    (job.directory / "checkpoint.pt").unlink(missing_ok=True)


def fail(member: StackedRun, error: Exception) -> None:
    """Write the summary of a run that an error has ended, and the traceback."""
    job = member.job
    if member.ended:
        return
    write_error(job.directory, "".join(traceback.format_exception(error)))
    outcome = Outcome(FAILED, reason_of(error), dataclasses.replace(member.progress))
    write_summary(
        job.directory, summary_of(job.settled, job.run_id, outcome, member.built, "stacked")
    )
