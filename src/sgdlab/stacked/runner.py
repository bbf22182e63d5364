"""Runs that train side by side, whatever happens to the stacks that they are in."""

import gc
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from sgdlab import signals
from sgdlab.config.instantiate import is_out_of_memory
from sgdlab.config.job import Job
from sgdlab.errors import InputError
from sgdlab.results import STOPPED
from sgdlab.stacked.begin import begin
from sgdlab.stacked.compiled.compiler import Compiler
from sgdlab.stacked.fit import StackFit
from sgdlab.stacked.group import Group, StackPlanner
from sgdlab.stacked.run import StackedRun
from sgdlab.terminal.notices import warn
from sgdlab.training.evidence import evidence_of
from sgdlab.training.folder import RunFolder
from sgdlab.training.state import Outcome

_Start = tuple[Job, dict[str, Any] | None]


class StackRunner:
    """Runs of a group on their way to the last step, in one stack where that works.

    Runs that a kill left at different steps have stacks of their own, and a stack that runs out of
    memory goes on as two from its checkpoints; so does one that fails where runs have code of their
    own, until those that fail by it are found. One that fails otherwise leaves its runs as
    ``failed``, with the reason.

    Args:
        planner: Builds the runs.
        group: The group that they belong to.
        jobs: The runs.
        compiler: The compiler of the group; None: there is none.
    """

    def __init__(
        self,
        planner: StackPlanner,
        group: Group,
        jobs: Sequence[Job],
        compiler: Compiler | None,
    ) -> None:
        self.group = group
        self._planner, self._compiler = planner, compiler
        self._jobs = {job.run_id: job for job in jobs}
        self._waiting = list(jobs)
        self._fits: list[StackFit] = []

    def advance(self, until: int) -> None:
        """Train all runs to a step; at the last one of the group they end."""
        begun, self._fits = self._fits, []
        waiting: list[list[Job]] = []
        while begun:
            waiting += self._trained(begun, until)
        waiting.append(self._waiting)
        self._waiting = []
        while waiting:
            for start in self._starts(waiting.pop(0)):
                waiting += self._started(start, until)

    def stop(self, reasons: Mapping[str, str]) -> None:
        """End runs before their last step.

        Args:
            reasons: Why each of them ends, by run id; runs that have ended are left alone.
        """
        for fit in self._fits:
            losers = {
                row: Outcome(STOPPED, reasons[run.folder.run_id], run.progress)
                for row, run in fit.runs.items()
                if run.folder.run_id in reasons
            }
            fit.drop(losers)
        self._fits = [fit for fit in self._fits if fit.live]

    def flush(self) -> None:
        """Append all rows so far to the files."""
        for fit in self._fits:
            fit.flush()

    def _started(self, start: list[_Start], until: int) -> list[list[Job]]:
        """Train runs that begin at one step; return those that do not fit into one stack."""
        built: list[StackedRun] = []
        jobs = [job for job, _ in start]
        compiler = self._compiler if self._is_compiled(start[0]) else None
        try:
            fits = begin(self._planner, self.group, start, compiler, built)
        except BaseException as error:
            if signals.is_real(error):
                raise
            if not (is_out_of_memory(error) and len(jobs) > 1):
                begun = {run.folder.run_id for run in built}
                others = [job for job in jobs if job.run_id not in begun]
                for run in [*built, *map(self._build, others)]:
                    run.fail(error)
                return []
        else:
            start.clear()  # what checkpoints hold is in the stack
            return self._trained(fits, until) if fits else []
        return self._halves(jobs, memory=True)

    def _trained(self, fits: list[StackFit], until: int) -> list[list[Job]]:
        """Train the first of some stacks, and take it out of the list.

        A stack that runs out of memory is referred to by nothing when this returns: not by the
        caller, whose list held it, nor by the traceback of what was raised.

        Returns:
            The runs that do not fit into one stack, as two.
        """
        fit = fits.pop(0)
        try:
            fit.advance(until)
            if until == self.group.total_steps:
                fit.finish()
        except BaseException as error:
            if signals.is_real(error):
                raise
            runs, memory = fit.rescue(), is_out_of_memory(error)
            apart = memory or any(map(_has_code_of_its_own, runs))
            if len(runs) == 1 or not apart:
                for run in runs:
                    run.fail(error)
                return []
            left = [self._jobs[run.folder.run_id] for run in runs]
            del runs
        else:
            if fit.live:
                self._fits.append(fit)
            return []
        del fit
        return self._halves(left, memory)

    def _halves(self, jobs: Sequence[Job], memory: bool) -> list[list[Job]]:
        """Return runs in two halves, once the memory of the stack that held them is free."""
        middle = len(jobs) // 2
        if memory:
            warn(f"out of memory with {len(jobs)} runs in one stack: going on with {middle}")
        gc.collect()  # tracebacks that refer to themselves hold the tensors of a stack
        if self.group.data.train.x.device.type == "cuda":
            torch.cuda.empty_cache()
        return [list(jobs[:middle]), list(jobs[middle:])]

    def _build(self, job: Job) -> StackedRun:
        return self._planner.build(job, self.group)[0]

    def _starts(self, jobs: Sequence[Job]) -> list[list[_Start]]:
        """Return which runs can be in one stack: at one step, and all compiled or none of them.

        One whose checkpoint cannot be read now fails alone, and keeps it.
        """
        found: dict[tuple[int, bool], list[_Start]] = {}
        for job in jobs:
            try:
                start = (job, self._checkpoint(job))
            except (OSError, InputError) as error:
                self._build(job).fail(error)
                continue
            step = start[1]["progress"]["step"] if start[1] else 0
            found.setdefault((step, self._is_compiled(start)), []).append(start)
        return list(found.values())

    def _is_compiled(self, start: _Start) -> bool:
        """Say whether compiled code trains a run: that which has made its steps so far."""
        state = start[1]
        return self._compiler is not None and (state is None or bool(state["compiled"]))

    def _checkpoint(self, job: Job) -> dict[str, Any] | None:
        if not job.config.resume:
            return None
        folder = RunFolder(job.directory, job.run_id, "stacked")
        group = self.group
        folder.evidence = evidence_of(job.config, group.data.fingerprint, group.model)
        return folder.load(job.config.stale)


def _has_code_of_its_own(run: StackedRun) -> bool:
    """Say whether a run may fail by code that not all runs of its stack share: its schedule."""
    return not str(run.config.schedule["_target_"]).startswith("sgdlab.")
