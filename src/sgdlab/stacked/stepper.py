"""Makes the steps of a stack: one at a time, or several in a call of compiled code."""

from collections.abc import Iterator, Sequence

from torch import Tensor

from sgdlab import signals
from sgdlab.results import StepRecord
from sgdlab.stacked.batches import StackedBatches
from sgdlab.stacked.compiled.compiler import Compiler
from sgdlab.stacked.group import Group
from sgdlab.stacked.stack import Stack
from sgdlab.stacked.tables import StepBlock

_Made = tuple[int, Sequence[Tensor | None]]
"""The examples of a step, and its losses, norms and factors."""


class Stepper:
    """Makes the steps of a stack.

    Which steps compiled code makes depends on the config alone: those of every chunk that begins at
    or after its first step, and in which nothing is to be done between two steps.

    Args:
        stack: The stack.
        group: What its runs have in common.
        compiler: Compiles steps; None: nothing does.
    """

    def __init__(self, stack: Stack, group: Group, compiler: Compiler | None) -> None:
        self._stack, self._group, self._compiler = stack, group, compiler
        self._drawn: StackedBatches | None = None
        if stack.slots is not None:
            self._prepare()

    def _prepare(self) -> None:
        if self._compiler is not None and self._compiler.plan.first_step < self._group.total_steps:
            self._stack.prepare()

    def steps(
        self, start: int, stop: int, epoch: int, done: int, examples: int
    ) -> Iterator[StepRecord]:
        """Make steps of one epoch, until there are no more or the process is told to stop.

        Args:
            start: The steps made so far.
            stop: The step to end at.
            epoch: The epoch, counted from 0.
            done: The steps of it that are made.
            examples: The examples seen so far.
        """
        if start == 0 and self._compiler is not None and stop > 1:
            # The first step may have coefficients of its own, and no graph is made for them.
            yield from self._steps_of_block(0, 1, epoch, 0, examples)
            if signals.asked():
                return
            examples, start, done = self._group.plan.effective_batch_size, 1, 1
        yield from self._steps_of_block(start, stop, epoch, done, examples)

    def _steps_of_block(
        self, start: int, stop: int, epoch: int, done: int, examples: int
    ) -> Iterator[StepRecord]:
        block = self._stack.tables.block(start, stop)
        if self._stack.slots is None:
            self._stack.begin(block.steps[0])
            self._prepare()
        batches, step = self._batches(), start
        while step < stop and not signals.asked():
            at = step - start
            made = self._chunk(batches, epoch, done + at, block, at)
            if made is None and signals.asked():  # while it waited for its code
                return
            if made is None:
                size, micros = next(batches.epoch(epoch, done + at))
                made = [(size, self._stack.step(micros, block.steps[at]))]
                if self._stack.average is not None:  # and then nothing is compiled
                    self._stack.average.update(step + 1, self._stack.params)
            for size, values in made:
                examples += size
                lr = block.rates[step - start]
                step += 1
                yield StepRecord(step, epoch + 1, examples, lr, *values)

    def _chunk(
        self, batches: StackedBatches, epoch: int, done: int, block: StepBlock, at: int
    ) -> list[_Made] | None:
        """Make the chunk of steps that begins here, where compiled code makes one."""
        compiler, plan = self._compiler, self._group.plan
        if compiler is None or epoch * plan.steps_per_epoch + done < compiler.plan.first_step:
            return None
        sizes = compiler.plan.chunks.at(done)
        if sizes is None or len(sizes) > len(block.rates) - at:
            return None
        examples = [sum(own) for own in sizes]
        first = done * plan.effective_batch_size
        order = batches.order(epoch)[:, first : first + sum(examples)]
        values = self._stack.steps(sizes, order, block, at)
        if values is None:
            return None
        losses, norms, *factors = (own.unbind(0) for own in values)
        clipped = factors[0] if factors else [None] * len(sizes)
        return list(zip(examples, zip(losses, norms, clipped, strict=True), strict=True))

    def _batches(self) -> StackedBatches:
        seeds = [run.config.seed for run in self._stack.rows]
        if self._drawn is None or self._drawn.seeds != seeds:
            train = self._group.data.train
            self._drawn = StackedBatches(train.x, train.y, self._group.plan, seeds)
        return self._drawn
