"""The training loop of a stack."""

import contextlib
import math
from collections.abc import Collection, Mapping, Sequence

from sgdlab import signals
from sgdlab.results import COMPLETED, DIVERGED, FAILED, STOPPED, BlockWriter, StepRecord, step_lines
from sgdlab.stacked.compiled.compiler import Compiler
from sgdlab.stacked.evaluator import StackEvaluator
from sgdlab.stacked.group import Group
from sgdlab.stacked.judged import judged
from sgdlab.stacked.run import StackedRun
from sgdlab.stacked.running_stats import RunningStats
from sgdlab.stacked.shares import Shares
from sgdlab.stacked.stack import Stack, read_back
from sgdlab.stacked.stepper import Stepper
from sgdlab.training.pauses import Pauses
from sgdlab.training.state import Outcome, next_stop
from sgdlab.training.stopping import why_stop

# Steps whose values are read back at once: on CUDA reading waits for the device. Counted from the
# start of an epoch, so that chunks of compiled steps fit into blocks wherever a run goes on.
_BLOCK = 64


class StackFit:
    """A stack on its way to the last step.

    Args:
        stack: The stack; its runs are all at the same step.
        group: What its runs have in common.
        compiler: Compiles the steps; None: nothing does.
        writers: What writes the rows of each run, by its `id`.
    """

    def __init__(
        self,
        stack: Stack,
        group: Group,
        compiler: Compiler | None,
        writers: Mapping[int, BlockWriter],
    ) -> None:
        self.stack, self._group, self._compiler = stack, group, compiler
        self._writers = writers
        self._stepper = Stepper(stack, group, compiler)
        self.step = stack.runs[0].progress.step
        """Steps made."""
        self.live = list(range(len(stack.runs)))
        """Rows of the runs that are still training."""
        every = group.averages_every
        self._averages = RunningStats(stack.runs, every) if every else None
        self._pauses = Pauses(group.config, group.plan.steps_per_epoch)
        self._shares = Shares(stack.device)
        self._evaluator = StackEvaluator(stack, group, writers)
        if self.step == 0:
            self._begin()

    @property
    def runs(self) -> dict[int, StackedRun]:
        """The runs that are still training, by their row in the stack."""
        return {row: self.stack.runs[row] for row in self.live}

    def _begin(self) -> None:
        gone: dict[int, str] = {}
        for row, loss in self._evaluator.all_but_test(self.live).items():
            at = self.stack.runs[row].progress
            at.initial_loss, at.constant_loss = loss, self._group.constant_loss
            if not math.isfinite(loss):
                gone[row] = f"loss is {loss} at initialisation"
        self._end_diverged(gone)

    def advance(self, until: int) -> None:
        """Train to a step, and evaluate where due; runs that diverge leave the stack."""
        group, plan = self._group, self._group.plan
        every, total = self._pauses.every, group.total_steps
        while self.live and self.step < until:
            epoch, done = divmod(self.step, plan.steps_per_epoch)
            epoch_end = (epoch + 1) * plan.steps_per_epoch
            stop = next_stop(self.step, min(epoch_end, until), every)
            self._block(epoch, done, min(stop, self.step - done % _BLOCK + _BLOCK))
            if not self.live:
                return
            at_epoch_end = self.step == epoch_end and (epoch + 1) % group.config.eval.every == 0
            if self.step == total or at_epoch_end:
                self._evaluate_and_observe()
            if self.step < total and self._pauses.save_due(self.step):
                self._save()
                self._pauses.saved()
            if self.step < total:
                self._look_up()

    def _look_up(self) -> None:
        """End runs whose share of time or memory is used up; stop where the process is to.

        Raises:
            Interrupted: It is.
        """
        stops, over = signals.asked(), self._shares.over(self.runs)
        if (stops or over) and self._pauses.saves_at_end:
            self._save()
        self.drop({row: Outcome(FAILED, why, self.runs[row].progress) for row, why in over.items()})
        if stops:
            self.flush()
            signals.stop_if_asked()

    def finish(self) -> None:
        """Evaluate the test split where asked for, and end the runs, which are all trained."""
        self._end_with_result(self.live, {})
        self.live = []

    def _block(self, epoch: int, done: int, stop: int) -> None:
        """Make the steps up to one of the same epoch."""
        examples = self.runs[self.live[0]].progress.examples
        made: list[StepRecord] = []
        try:
            for record in self._stepper.steps(self.step, stop, epoch, done, examples):
                made.append(record)  # noqa: PERF402  what precedes a failure is kept
        finally:  # the steps before a failure belong to the files
            if made:
                self._record(read_back(made))

    def _record(self, block: StepRecord) -> None:
        """Write the rows of steps that were made; runs that diverged in them leave the stack."""
        unclipped = [run.config.clip_norm is None for run in self.stack.rows]
        block.clip_coef[:, unclipped] = 1.0
        counts, gone = judged(block, self.runs)
        further = self._averages.cells(block, self.runs) if self._averages is not None else {}
        if self._group.display is not None:
            for step, lr, loss, norm in zip(
                block.step, block.lr[:, 0], block.loss[:, 0], block.grad_norm[:, 0], strict=True
            ):
                self._group.display.step(step, float(loss), float(lr), float(norm))
        lines = step_lines(block, counts, further)
        for row, run in self.runs.items():
            self._writers[id(run)].steps(lines[row])
            at, last = run.progress, counts[row] - 1
            at.step, at.epoch, at.examples = (column[last] for column in block[:3])
            at.function_evaluations = at.gradient_evaluations = at.step
        self.step = block.step[-1]
        self._end_diverged(gone)

    def _evaluate_and_observe(self) -> None:
        gone: dict[int, str] = {}
        stopped: dict[int, str] = {}
        for row, loss in self._evaluator.all_but_test(self.live).items():
            run = self.stack.runs[row]
            if not math.isfinite(loss):
                gone[row] = f"training loss is {loss} after step {self.step}"
                continue
            run.schedule.observe(run.progress.val_loss)
            why = why_stop(run.config.stop, run.progress, self._group.metric.direction)
            if why is not None and self.step < self._group.total_steps:
                stopped[row] = why
        self._end_with_result(list(stopped), stopped)
        self._end_diverged(gone, stopped)

    def _end_with_result(self, rows: Sequence[int], reasons: Mapping[int, str]) -> None:
        """End runs with their result: stopped for a reason, or without one completed."""
        asked = [row for row in rows if self.stack.runs[row].config.evaluate_test]
        tests = self._evaluator.test(asked) if asked else {}
        kept = self._evaluator.final_weights(rows) if self._group.config.save_final else {}
        for row in rows:
            run, reason = self.stack.runs[row], reasons.get(row)
            for name, weights in kept.get(row, {}).items():
                run.folder.write(name, weights)
            status = STOPPED if reason else COMPLETED
            self._end(run, Outcome(status, reason, run.progress, *tests.get(row, ())))

    def _save(self) -> None:
        state_of = self.stack.states()
        for row, run in self.runs.items():
            self._writers[id(run)].flush(durable=True)
            run.save(state_of(row), self._compiler is not None and self._compiler.works)

    def drop(self, losers: Mapping[int, Outcome]) -> None:
        """End some runs, by row, before their last step."""
        for row, outcome in losers.items():
            self._end(self.stack.runs[row], outcome)
        if losers:
            self._keep([row for row in self.live if row not in losers])

    def flush(self) -> None:
        """Append all rows so far to the files."""
        for run in self.runs.values():
            self._writers[id(run)].flush()

    def rescue(self) -> list[StackedRun]:
        """Write the rows made before a failure, where that works; return the runs, let go of."""
        runs, self.live = list(self.runs.values()), []
        for run in runs:
            with contextlib.suppress(OSError):  # what cannot be written may be what failed
                self._writers[id(run)].flush()
        return runs

    def _end_diverged(self, reasons: Mapping[int, str], ended: Collection[int] = ()) -> None:
        """End runs that diverged; with those that have ended already they leave the stack."""
        for row, reason in reasons.items():
            run = self.stack.runs[row]
            self._end(run, Outcome(DIVERGED, reason, run.progress))
        left = [row for row in self.live if row not in reasons and row not in ended]
        if len(left) < len(self.live):
            self._keep(left)

    def _keep(self, rows: list[int]) -> None:
        if rows:
            self.stack.keep(rows)
        self.live = list(range(len(rows)))

    def _end(self, run: StackedRun, outcome: Outcome) -> None:
        self._writers[id(run)].flush()
        row = next(row for row, own in enumerate(self.stack.runs) if own is run)
        run.end(outcome, self.stack.found(row))
