"""Runs that train side by side, whatever happens to the stacks that they are in."""

from collections.abc import Mapping, Sequence
from typing import Any

from sgdlab.config.instantiate import is_out_of_memory
from sgdlab.config.job import Job
from sgdlab.results import STOPPED
from sgdlab.stacked import cost
from sgdlab.stacked.begin import begin
from sgdlab.stacked.compiler import Compiler
from sgdlab.stacked.fit import StackFit
from sgdlab.stacked.group import Group, StackPlanner
from sgdlab.stacked.run import StackedRun
from sgdlab.terminal.notices import warn
from sgdlab.training.folder import RunFolder
from sgdlab.training.state import Outcome

_Start = tuple[Job, dict[str, Any] | None]


class StackRunner:
    """Runs of a group on their way to the last step, in one stack where that works.

    Runs that a kill left at different steps have stacks of their own, and a stack that runs out of
    memory goes on as two from its checkpoints. One that fails otherwise leaves its runs as
    ``failed``, with the reason.

    Args:
        planner: Builds the runs.
        group: The group that they belong to.
        jobs: The runs.
        compiler: The compiler of the group.
    """

    def __init__(
        self, planner: StackPlanner, group: Group, jobs: Sequence[Job], compiler: Compiler
    ) -> None:
        self.group = group
        self._planner, self._compiler = planner, compiler
        self._jobs = {job.run_id: job for job in jobs}
        self._waiting = list(jobs)
        self._fits: list[StackFit] = []

    def advance(self, until: int) -> None:
        """Train all runs to a step; at the last one of the group they end."""
        waiting, self._waiting = self._waiting, []
        fits, self._fits = self._fits, []
        while fits:
            self._train(fits.pop(0), until)
        self._start(waiting, until)

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

    def _start(self, jobs: Sequence[Job], until: int) -> None:
        for compiled, runs in _starts(self.group, jobs):
            built: list[StackedRun] = []
            compiler = self._compiler if compiled else None
            try:
                fit = begin(self._planner, self.group, runs, compiler, built)
            except Exception as error:
                halve = is_out_of_memory(error) and len(runs) > 1
                if not halve:
                    for run in built or [self._build(job) for job, _ in runs]:
                        run.fail(error)
            else:
                self._train(fit, until)
                continue
            # Outside: what is raised keeps the tensors of its stack alive.
            if halve:
                self._halve([job for job, _ in runs], until)

    def _train(self, fit: StackFit, until: int) -> None:
        left: list[Job] = []
        try:
            fit.advance(until)
            if until == self.group.total_steps:
                fit.finish()
        except Exception as error:
            fit.flush()
            runs, fit.live = list(fit.runs.values()), []
            if is_out_of_memory(error) and len(runs) > 1:
                left = [self._jobs[run.folder.run_id] for run in runs]
            else:
                for run in runs:
                    run.fail(error)
        if left:
            del fit
            self._halve(left, until)
        elif fit.live:
            self._fits.append(fit)

    def _halve(self, jobs: Sequence[Job], until: int) -> None:
        middle = len(jobs) // 2
        warn(f"out of memory with {len(jobs)} runs in one stack: going on with {middle}")
        for half in (jobs[:middle], jobs[middle:]):
            self._start(half, until)

    def _build(self, job: Job) -> StackedRun:
        return self._planner.build(job, self.group)[0]


def _starts(group: Group, jobs: Sequence[Job]) -> list[tuple[bool, list[_Start]]]:
    """Return which runs can be in one stack: at one step, and all compiled or none of them."""
    found: dict[tuple[int, bool], list[_Start]] = {}
    for job in jobs:
        folder = RunFolder(job.directory, job.run_id, "stacked")
        state = folder.load() if job.config.resume else None
        key = (state["progress"]["step"], state["compiled"]) if state else (0, cost.compiles(group))
        found.setdefault(key, []).append((job, state))
    return [(compiled, runs) for (_, compiled), runs in found.items()]
