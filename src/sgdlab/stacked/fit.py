"""The training loop of a stack."""

import itertools
import math
import threading
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sgdlab.datasets.base import Split
from sgdlab.results import COMPLETED, DIVERGED, BlockWriter, StepRecord, step_lines
from sgdlab.stacked.batches import StackedBatches
from sgdlab.stacked.evaluate import evaluate
from sgdlab.stacked.group import Group
from sgdlab.stacked.run import StackedRun
from sgdlab.stacked.running_stats import RunningStats
from sgdlab.stacked.stack import Stack, read_back
from sgdlab.training.evaluation import Evaluation
from sgdlab.training.state import Outcome, next_stop
from sgdlab.training.steplog import loss_limit, verdict

interrupted = threading.Event()
"""Set when stacks that train in other threads are to end as if Ctrl-C had been typed there."""

# Steps whose values are read back at once: on CUDA reading waits for the device.
_BLOCK = 64


class StackFit:
    """A stack on its way to the last step.

    Args:
        stack: The stack; its runs are all at the same step.
        group: What its runs have in common.
        compiled: Whether compiled code trains them.
        writer: Returns the writer of a run's rows.
    """

    def __init__(
        self,
        stack: Stack,
        group: Group,
        compiled: bool,
        writer: Callable[[StackedRun], BlockWriter],
    ) -> None:
        self.stack, self._group, self._compiled = stack, group, compiled
        self._writers = {id(run): writer(run) for run in stack.runs}
        self._drawn: StackedBatches | None = None
        self.step = stack.runs[0].progress.step
        """Steps made."""
        self.live = list(range(len(stack.runs)))
        """Rows of the runs that are still training; compiled code keeps the others, too."""
        every = group.averages_every
        self._averages = RunningStats(stack.runs, every) if every else None
        if self.step == 0:
            self._begin()

    @property
    def runs(self) -> dict[int, StackedRun]:
        """The runs that are still training, by their row in the stack."""
        return {row: self.stack.runs[row] for row in self.live}

    def _begin(self) -> None:
        gone: dict[int, str] = {}
        for row, (train, _) in self._evaluate(("train", "val")).items():
            self.stack.runs[row].progress.initial_loss = train.loss
            if not math.isfinite(train.loss):
                gone[row] = f"loss is {train.loss} at initialisation"
        self._end_diverged(gone)

    def advance(self, until: int) -> None:
        """Train to a step, and evaluate where due; runs that diverge leave the stack."""
        group, plan = self._group, self._group.plan
        every, total = group.config.checkpoint.every, group.total_steps
        while self.live and self.step < until:
            if interrupted.is_set():
                raise KeyboardInterrupt
            epoch, done = divmod(self.step, plan.steps_per_epoch)
            epoch_end = (epoch + 1) * plan.steps_per_epoch
            stop = next_stop(self.step, min(epoch_end, until), every)
            self._block(epoch, done, min(stop, self.step + _BLOCK))
            if not self.live:
                return
            at_epoch_end = self.step == epoch_end and (epoch + 1) % group.config.eval.every == 0
            if self.step == total or at_epoch_end:
                self._evaluate_and_observe()
            if every and self.step % every == 0 and self.step < total:
                self._save()

    def finish(self) -> None:
        """Evaluate the test split where asked for, and end the runs, which are all trained."""
        asked = any(run.config.evaluate_test for run in self.runs.values())
        tests = self._evaluate(("test",)) if asked else {}
        for row, run in self.runs.items():
            test = tests[row][0] if run.config.evaluate_test else None
            self._end(run, Outcome(COMPLETED, None, run.progress, test))
        self.live = []

    def _block(self, epoch: int, done: int, stop: int) -> None:
        """Make the steps up to one of the same epoch."""
        stack = self.stack
        rates, coefficients = stack.tables.block(self.step, stop)
        if stack.slots is None:
            stack.begin(coefficients[0])
        updates = itertools.islice(self._batches().epoch(epoch, done), stop - self.step)
        examples = self.runs[self.live[0]].progress.examples
        made: list[StepRecord] = []
        try:
            for lr, c, (size, micros) in zip(rates, coefficients, updates, strict=True):
                examples += size
                step, values = self.step + len(made) + 1, stack.step(micros, c)
                made.append(StepRecord(step, epoch + 1, examples, lr, *values))
        finally:  # the steps before a failure belong to the files
            if made:
                self._record(read_back(made))

    def _record(self, block: StepRecord) -> None:
        """Write the rows of steps that were made; runs that diverged in them leave the stack."""
        unclipped = [run.config.clip_norm is None for run in self.stack.rows]
        block.clip_coef[:, unclipped] = 1.0
        counts, gone = self._judge(block)
        further = self._averages.cells(block, self.runs) if self._averages is not None else {}
        lines = step_lines(block, counts, further)
        for row, run in self.runs.items():
            self._writers[id(run)].steps(lines[row])
            at, last = run.progress, counts[row] - 1
            at.step, at.epoch, at.examples = (column[last] for column in block[:3])
            at.function_evaluations = at.gradient_evaluations = at.step
        self.step = block.step[-1]
        self._end_diverged(gone)

    def _batches(self) -> StackedBatches:
        seeds = [run.config.seed for run in self.stack.rows]
        if self._drawn is None or self._drawn.seeds != seeds:
            train = self._group.data.train
            self._drawn = StackedBatches(train.x, train.y, self._group.plan, seeds)
        return self._drawn

    def _judge(self, block: StepRecord) -> tuple[list[int], dict[int, str]]:
        """Return how many steps of a block belong to each row, and why some are the last."""
        counts = [0] * block.loss.shape[1]
        gone: dict[int, str] = {}
        for row, run in self.runs.items():
            limit = loss_limit(run.config.limits.loss_factor, run.progress.initial_loss)
            loss, norm = block.loss[:, row], block.grad_norm[:, row]
            # Not "loss > limit": nan must count.
            bad = np.flatnonzero(~((loss <= limit) & np.isfinite(loss) & np.isfinite(norm)))
            counts[row] = int(bad[0]) + 1 if len(bad) else len(loss)
            last = counts[row] - 1
            if reason := verdict(block.step[last], float(loss[last]), float(norm[last]), limit):
                gone[row] = reason
        return counts, gone

    def _evaluate_and_observe(self) -> None:
        gone: dict[int, str] = {}
        for row, (train, _) in self._evaluate(("train", "val")).items():
            run = self.stack.runs[row]
            if math.isfinite(train.loss):
                run.schedule.observe(run.progress.val_loss)
            else:
                gone[row] = f"training loss is {train.loss} after step {self.step}"
        self._end_diverged(gone)

    def _evaluate(self, splits: Sequence[str]) -> dict[int, list[Evaluation]]:
        """Evaluate splits, write their rows, and return what was found by row."""
        data, stack = self._group.data, self.stack
        most = self._group.config.eval.batch_size
        found: dict[int, list[Evaluation]] = {row: [] for row in self.live}
        for name in splits:
            split: Split = getattr(data, name)
            evaluations = evaluate(stack.model, stack.params, stack.loss, data, split, most)
            for row, run in self.runs.items():
                at = run.progress
                where = (at.step, at.epoch, at.examples, None, "raw", name)
                self._writers[id(run)].evaluation((*where, *evaluations[row]))
                found[row].append(evaluations[row])
        if splits != ("test",):
            for row, (train, val) in found.items():
                stack.runs[row].progress.record(train, val, data.metric_direction)
        return found

    def _save(self) -> None:
        state_of = self.stack.states()
        for row, run in self.runs.items():
            self._writers[id(run)].flush(durable=True)
            run.save(state_of(row), self._compiled)

    def drop(self, losers: Mapping[int, Outcome]) -> None:
        """End some runs before their last step; compiled code is made anew for the others.

        Args:
            losers: How they end, by row.
        """
        for row, outcome in losers.items():
            self._end(self.stack.runs[row], outcome)
        if losers:
            self._keep([row for row in self.live if row not in losers])

    def flush(self) -> None:
        """Append all rows so far to the files."""
        for run in self.runs.values():
            self._writers[id(run)].flush()

    def _end_diverged(self, reasons: Mapping[int, str]) -> None:
        for row, reason in reasons.items():
            run = self.stack.runs[row]
            self._end(run, Outcome(DIVERGED, reason, run.progress))
        if self._compiled:  # its code is made for all runs, and keeps those that have ended
            self.live = [row for row in self.live if row not in reasons]
        elif reasons:
            self._keep([row for row in self.live if row not in reasons])

    def _keep(self, rows: list[int]) -> None:
        self.live = rows
        if rows:
            self.stack.keep(rows)
            self.live = list(range(len(rows)))

    def _end(self, run: StackedRun, outcome: Outcome) -> None:
        self._writers[id(run)].flush()
        run.end(outcome)
