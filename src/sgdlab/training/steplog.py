"""The rows of ``steps.csv`` on their way to the file, and the watch for divergence."""

import math
from collections import deque
from typing import NamedTuple, Protocol

from sgdlab.diagnostics.recorder import cells
from sgdlab.diagnostics.running import COLUMNS
from sgdlab.results import Cell, StepRecord
from sgdlab.steps.base import StepValues
from sgdlab.training.build import Run
from sgdlab.training.limit import divergence, loss_limit
from sgdlab.training.state import TrainState

# On CUDA reading a scalar waits for the device, so values are read back in blocks.
_READ_EVERY = {"cpu": 1, "cuda": 64}
# Rows held back before they are written: a system call for each would cost more than the step.
_WRITE_EVERY = 256


class Writer(Protocol):
    """Takes the rows of a run; `sgdlab.results.RunWriter` in a real run."""

    def steps(self, rows: list[tuple[Cell, ...]], /) -> None: ...  # noqa: D102
    def evaluation(self, row: tuple[Cell, ...], /) -> None: ...  # noqa: D102


class StepWatcher(Protocol):
    """Is told of each step as its values are read."""

    def step(self, step: int, loss: float, lr: float, grad_norm: float) -> None: ...  # noqa: D102


class ProgressDisplay(StepWatcher, Protocol):
    """Shows a person how far a run is; see `sgdlab.terminal.run_display`."""

    def evaluated(self, metric: float) -> None: ...  # noqa: D102


class _Made(NamedTuple):
    """A step that was made; its values may still be on the device."""

    record: StepRecord
    evaluations: tuple[int, int]
    measured: list[float] | None
    skipped: bool = False
    told: tuple[int, ...] = ()


class StepLog:
    """Buffers steps, reads their values back, and notices the first that diverged.

    Args:
        run: The run that makes the steps.
        writer: Receives rows in blocks.
        display: Told of every step read.
        at: How far the run is, with its loss at initialisation.
    """

    def __init__(self, run: Run, writer: Writer, display: StepWatcher, at: TrainState) -> None:
        self._writer, self._display = writer, display
        self._objective, self._ranks = run.objective, run.ranks
        factor = run.config.limits.loss_factor
        self._limit = loss_limit(factor, at.initial_loss, at.constant_loss)
        self._running = run.diagnostics.running(at.running)
        recorder = run.diagnostics.recorder
        self._width = len(recorder.columns) if recorder else 0
        self._callbacks = run.callbacks if run.callbacks.see_steps else None
        self._empty = (None,) * len(run.callbacks.step_columns)
        self._every = 1 if self._callbacks else _READ_EVERY.get(run.device.type, 64)
        self._pending: deque[_Made] = deque()
        self._rows: list[tuple[Cell, ...]] = []
        start = StepRecord(at.step, at.epoch, at.examples, 0.0, 0.0, 0.0, 1.0)
        self._last = _Made(start, (at.function_evaluations, at.gradient_evaluations), None)
        self._norm = 0.0
        """That of the last step that was not skipped."""
        self.reason: str | None = None
        """Why the run diverged; None while it has not."""

    def add(self, at: TrainState, values: StepValues, measured: list[float] | None) -> None:
        """Take the values of a step; tensors among them are read only once a block is full.

        Args:
            at: How far the run is with this step.
            values: What the step logs.
            measured: What diagnostics found in the step; None where nothing was due.
        """
        record = StepRecord(
            at.step, at.epoch, at.examples, values.lr, values.loss, values.grad_norm,
            values.clip_coef,
        )  # fmt: skip
        told = () if self._ranks is None else self._ranks.cells()
        evaluations = self._objective.evaluations()
        self._pending.append(_Made(record, evaluations, measured, values.skipped, told))
        if len(self._pending) >= self._every:
            self.read()

    def read(self) -> None:
        """Read all pending values; rows after a diverged step are dropped."""
        while self._pending:  # one at a time: after a failure the others are still to be read
            made = self._pending.popleft()
            record = made.record
            loss, norm, factor = (float(value) for value in record[4:])
            if made.skipped:  # or NaN, where infinities have met
                norm = math.inf
            row: tuple[Cell, ...] = (*record[:4], loss, norm, factor)
            if made.skipped:  # nothing was applied, and nothing clipped
                norm, factor = math.nan, 1.0
            if self._running is not None:
                found = self._running.add(record.step, loss, norm, factor)
                row += cells(found, len(COLUMNS))
            if self._width:
                row += cells(made.measured, self._width)
            row += made.told
            self._rows.append(row + self._empty)
            self._last = made
            self._norm = self._norm if made.skipped else norm
            self._display.step(record.step, loss, record.lr, self._norm)
            self.reason = divergence(record.step, loss, self._norm, self._limit)
            if self.reason is not None:
                break
            if self._callbacks is not None:
                own = (*record[:4], loss, self._norm, factor)
                self._rows[-1] = (*row, *self._callbacks.step(own))
        self._pending.clear()
        if len(self._rows) >= _WRITE_EVERY:
            self.write()

    def write(self) -> None:
        """Hand over the rows read so far."""
        rows, self._rows = self._rows, []  # never twice, whatever the writer raises
        self._writer.steps(rows)

    def rescue(self, at: TrainState) -> None:
        """Hand over the steps made before a failure, and put the run where its rows end.

        One of them may have diverged, on a GPU long before the failure, and be its cause.
        """
        try:
            self.read()
            self.write()
        except Exception:  # what failed fails again: a device that is lost, a disk that is full
            self._pending.clear()
        self.go_back(at)

    def running_state(self) -> list[float]:
        """Return what a resumed run needs of the running averages."""
        return self._running.state() if self._running else []

    def go_back(self, at: TrainState) -> None:
        """Put a run back to its last row: one that diverged on a GPU has made further steps."""
        at.step, at.examples = self._last.record.step, self._last.record.examples
        at.function_evaluations, at.gradient_evaluations = self._last.evaluations
