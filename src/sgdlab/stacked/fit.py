"""The training loop of a stack."""

import itertools
import math
import threading
from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from sgdlab.datasets.base import Split
from sgdlab.results import COMPLETED, DIVERGED, BlockWriter, step_lines
from sgdlab.stacked import checkpoint
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
        stack: Its members are all at the same step.
        group: The runs that the members are among.
        compiled: Whether compiled code trains them.
        writer: Gives the writer of a member's rows.
    """

    def __init__(
        self,
        stack: Stack,
        group: Group,
        compiled: bool,
        writer: Callable[[StackedRun], BlockWriter],
    ) -> None:
        self.stack, self._group, self._compiled = stack, group, compiled
        self._writers = {id(member): writer(member) for member in stack.members}
        self._drawn: StackedBatches | None = None
        self.step = stack.members[0].progress.step
        """Steps made."""
        self.live = list(range(len(stack.members)))
        """Rows of the members that are still training; compiled code keeps the others, too."""
        every = group.averages_every
        self._averages = RunningStats(stack.members, every) if every else None
        if self.step == 0:
            self._begin()

    @property
    def members(self) -> list[StackedRun]:
        """The members that are still training."""
        return [self.stack.members[row] for row in self.live]

    def _begin(self) -> None:
        gone: dict[int, str] = {}
        for row, (train, _) in self._evaluate(("train", "val")).items():
            self.stack.members[row].progress.initial_loss = train.loss
            if not math.isfinite(train.loss):
                gone[row] = f"loss is {train.loss} at initialisation"
        self._drop(gone)

    def advance(self, until: int) -> None:
        """Train to a step, and evaluate where due; members that diverge leave the stack."""
        group, plan = self._group, self._group.plan
        every, total = group.config.checkpoint.every, group.total_steps
        while self.live and self.step < until:
            if interrupted.is_set():
                raise KeyboardInterrupt
            epoch, done = divmod(self.step, plan.steps_per_epoch)
            epoch_end = (epoch + 1) * plan.steps_per_epoch
            end = min(epoch_end, until)
            stop = next_stop(self.step, end, every)
            stop = min(stop, self.step + _BLOCK)
            self._block(epoch, done, stop)
            if not self.live:
                return
            at_epoch_end = self.step == epoch_end and (epoch + 1) % group.config.eval.every == 0
            if self.step == total or at_epoch_end:
                self._evaluate_and_observe()
            if every and self.step % every == 0 and self.step < total:
                self._save()

    def finish(self) -> None:
        """Evaluate the test split where asked for, and end the members, which are all trained."""
        rows = [r for r in self.live if self.stack.members[r].config.evaluate_test]
        tests = self._evaluate(("test",)) if rows else {}
        for row in self.live:
            test = tests[row][0] if row in rows else None
            member = self.stack.members[row]
            self._end(member, Outcome(COMPLETED, None, member.progress, test))
        self.live = []

    def _block(self, epoch: int, done: int, stop: int) -> None:
        stack = self.stack
        rates, coefficients = stack.tables.block(self.step, stop)
        if stack.slots is None:
            stack.begin(coefficients[0])
        updates = self._batches().epoch(epoch, done)
        recorded: list[list[Tensor | None]] = []
        prefixes: list[str] = []
        examples = self.members[0].progress.examples
        counted: list[int] = []
        error: Exception | None = None
        try:
            for c, (size, micros) in zip(
                coefficients, itertools.islice(updates, len(coefficients)), strict=True
            ):
                recorded.append(stack.step(micros, c))
                examples += size
                counted.append(examples)
                prefixes.append(f"{self.step + len(recorded)},{epoch + 1},{examples}")
        except Exception as failure:  # the steps before a failure belong to the files
            error = failure
        if recorded:
            self._record(epoch, prefixes, counted, rates[: len(recorded)], recorded)
        if error is not None:
            raise error

    def _record(
        self,
        epoch: int,
        prefixes: list[str],
        counted: list[int],
        rates: np.ndarray,
        recorded: list[list[Tensor | None]],
    ) -> None:
        """Write the rows of steps that were made; runs that diverged in them leave the stack."""
        stack = self.stack
        losses, norms, factors = (
            None if column[0] is None else read_back(column)  # type: ignore[arg-type]
            for column in zip(*recorded, strict=True)
        )
        assert losses is not None
        assert norms is not None
        if factors is None:
            factors = np.ones_like(losses)
        unclipped = [row.clip_norm is None for row in stack.rows]
        factors[:, unclipped] = 1.0
        counts, gone = self._judge(losses, norms)
        further: list[list[str]] | None = None
        if self._averages is not None:
            scalars = [values[:, self.live] for values in (losses, norms, factors)]
            found = self._averages.cells(self.step, self.members, scalars)
            further = [[] for _ in counts]
            for row, own in zip(self.live, found, strict=True):
                further[row] = own
        lines = step_lines(prefixes, (rates, losses, norms, factors), counts, further)
        for row in self.live:
            member, count = stack.members[row], counts[row]
            self._writers[id(member)].steps(lines[row])
            at = member.progress
            at.step, at.epoch = self.step + count, epoch + 1
            at.examples = counted[count - 1]
            at.function_evaluations = at.gradient_evaluations = at.step
        self.step += len(recorded)
        self._drop(gone)

    def _batches(self) -> StackedBatches:
        seeds = [member.seed for member in self.stack.rows]
        if self._drawn is None or self._drawn.seeds != seeds:
            train = self._group.data.train
            self._drawn = StackedBatches(train.x, train.y, self._group.plan, seeds)
        return self._drawn

    def _judge(self, losses: np.ndarray, norms: np.ndarray) -> tuple[list[int], dict[int, str]]:
        """Return how many steps of a block belong to each row, and why some are the last."""
        counts = [0] * losses.shape[1]
        gone: dict[int, str] = {}
        for row in self.live:
            counts[row] = len(losses)
            member = self.stack.members[row]
            factor = member.config.limits.loss_factor
            limit = loss_limit(factor, member.progress.initial_loss)
            loss, norm = losses[:, row], norms[:, row]
            # Not "loss > limit": nan must count.
            bad = np.flatnonzero(~((loss <= limit) & np.isfinite(loss) & np.isfinite(norm)))
            if len(bad):
                counts[row] = int(bad[0]) + 1
                first = bad[0]
                reason = verdict(
                    self.step + counts[row], float(loss[first]), float(norm[first]), limit
                )
                assert reason is not None
                gone[row] = reason
        return counts, gone

    def _evaluate_and_observe(self) -> None:
        gone: dict[int, str] = {}
        for row, (train, _) in self._evaluate(("train", "val")).items():
            member = self.stack.members[row]
            if not math.isfinite(train.loss):
                gone[row] = f"training loss is {train.loss} after step {self.step}"
                continue
            member.schedule.observe(member.progress.val_loss)
        self._drop(gone)

    def _evaluate(self, splits: Sequence[str]) -> dict[int, list[Evaluation]]:
        """Evaluate splits, write their rows, and return what was found by row."""
        data, stack = self._group.data, self.stack
        most = self._group.config.eval.batch_size
        found: dict[int, list[Evaluation]] = {row: [] for row in self.live}
        for name in splits:
            split: Split = getattr(data, name)
            evaluations = evaluate(stack.model, stack.params, stack.loss, data, split, most)
            for row in self.live:
                member, evaluation = stack.members[row], evaluations[row]
                at = member.progress
                where = (at.step, at.epoch, at.examples, None, "raw", name)
                self._writers[id(member)].evaluation((*where, *evaluation))
                found[row].append(evaluation)
        if splits != ("test",):
            for row, (train, val) in found.items():
                at = stack.members[row].progress
                at.record(train, val, data.metric_direction)
        return found

    def _save(self) -> None:
        state_of = self.stack.states()
        for row in self.live:
            member = self.stack.members[row]
            self._writers[id(member)].flush(durable=True)
            checkpoint.save(member, state_of(row), self._compiled)

    def drop(self, members: Sequence[StackedRun], outcome: Callable[[StackedRun], Outcome]) -> None:
        """End some members before their last step; compiled code is made anew for the others."""
        if not members:
            return
        gone = {id(member) for member in members}
        left = [row for row in self.live if id(self.stack.members[row]) not in gone]
        for member in members:
            self._end(member, outcome(member))
        self.live = left
        if left:
            self.stack.keep(left)
            self.live = list(range(len(left)))

    def flush(self) -> None:
        """Append all rows so far to the files."""
        for member in self.members:
            self._writers[id(member)].flush()

    def _drop(self, gone: dict[int, str]) -> None:
        if not gone:
            return
        for row, reason in gone.items():
            member = self.stack.members[row]
            self._end(member, Outcome(DIVERGED, reason, member.progress))
        self._keep([row for row in self.live if row not in gone])

    def _keep(self, rows: list[int]) -> None:
        self.live = rows
        if rows and not self._compiled:
            self.stack.keep(rows)
            self.live = list(range(len(rows)))

    def _end(self, member: StackedRun, outcome: Outcome) -> None:
        self._writers[id(member)].flush()
        member.end(outcome)
