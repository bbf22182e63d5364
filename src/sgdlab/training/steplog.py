"""The rows of ``steps.csv`` on their way to the file, and the watch for divergence."""

import math
from typing import NamedTuple, Protocol

from sgdlab.diagnostics.recorder import cells
from sgdlab.diagnostics.running import COLUMNS
from sgdlab.results import Cell, StepRecord
from sgdlab.steps.base import StepValues
from sgdlab.training.build import Run
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
    """Shows a person how far a run is; see `sgdlab.terminal.progress`."""

    def evaluated(self, metric: float) -> None: ...  # noqa: D102


class _Made(NamedTuple):
    """A step that was made; its values may still be on the device."""

    record: StepRecord
    evaluations: tuple[int, int]
    measured: list[float] | None


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
        self._objective = run.objective
        self._limit = loss_limit(run.config.limits.loss_factor, at.initial_loss)
        self._running = run.diagnostics.running(at.running)
        recorder = run.diagnostics.recorder
        self._width = len(recorder.columns) if recorder else 0
        self._every = _READ_EVERY.get(run.device.type, 64)
        self._pending: list[_Made] = []
        self._rows: list[tuple[Cell, ...]] = []
        self._last: _Made | None = None
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
        self._pending.append(_Made(record, self._objective.evaluations(), measured))
        if len(self._pending) >= self._every:
            self.read()

    def read(self) -> None:
        """Read all pending values; rows after a diverged step are dropped."""
        for made in self._pending:
            record = made.record
            loss, norm, factor = (float(value) for value in record[4:])
            row: tuple[Cell, ...] = (*record[:4], loss, norm, factor)
            if self._running is not None:
                found = self._running.add(record.step, loss, norm, factor)
                row += cells(found, len(COLUMNS))
            if self._width:
                row += cells(made.measured, self._width)
            self._rows.append(row)
            self._last = made
            self._display.step(record.step, loss, record.lr, norm)
            self.reason = verdict(record.step, loss, norm, self._limit)
            if self.reason is not None:
                break
        self._pending.clear()
        if len(self._rows) >= _WRITE_EVERY:
            self.write()

    def write(self) -> None:
        """Hand over the rows read so far."""
        self._writer.steps(self._rows)
        self._rows = []

    def running_state(self) -> list[float]:
        """Return what a resumed run needs of the running averages."""
        return self._running.state() if self._running else []

    def go_back(self, at: TrainState) -> None:
        """Put a run that diverged back to its last row: on a GPU it has made further steps."""
        assert self._last is not None
        at.step, at.examples = self._last.record.step, self._last.record.examples
        at.function_evaluations, at.gradient_evaluations = self._last.evaluations


def verdict(step: int, loss: float, norm: float, limit: float) -> str | None:
    """Return why a run has diverged at a step; None when it has not.

    Args:
        step: The number of the step, counted from 1.
        loss: The loss of the step.
        norm: The norm of its gradient.
        limit: The loss above which a run counts as diverged.
    """
    if not math.isfinite(loss):
        return f"loss is {loss} at step {step}"
    if not math.isfinite(norm):
        return f"gradient norm is {norm} at step {step}"
    if loss > limit:
        return f"loss {loss:.4g} at step {step} exceeds limits.loss_factor ({limit:.4g})"
    return None


def loss_limit(factor: float | None, initial_loss: float) -> float:
    """Return the loss above which a run counts as diverged."""
    # A loss that starts at or below zero has no meaningful multiple.
    return factor * initial_loss if factor and initial_loss > 0 else math.inf
