"""The rows of ``steps.csv`` on their way to the file, and the watch for divergence."""

import math
from typing import NamedTuple, Protocol

from sgdlab.diagnostics.recorder import cells
from sgdlab.diagnostics.running import COLUMNS, Running
from sgdlab.results import Cell, StepRecord

# On CUDA reading a scalar waits for the device, so values are read back in blocks.
_READ_EVERY = {"cpu": 1, "cuda": 64}
# Rows held back before they are written: a system call for each would cost more than the step.
_WRITE_EVERY = 256


class RowSink(Protocol):
    """Takes finished rows; `sgdlab.results.RunWriter` in a real run."""

    def steps(self, rows: list[tuple[Cell, ...]], /) -> None: ...  # noqa: D102


class StepWatcher(Protocol):
    """Is told of each step as its values are read."""

    def step(self, step: int, loss: float, lr: float, grad_norm: float) -> None: ...  # noqa: D102


class Last(NamedTuple):
    """How far a run was at a row; the fields are those of `TrainState`."""

    step: int
    examples: int
    function_evaluations: int
    gradient_evaluations: int


class StepLog:
    """Buffers steps, reads their values back, and notices the first that diverged.

    Args:
        sink: Receives rows in blocks.
        view: Told of every step read.
        limit: A loss above it counts as diverged.
        device: Kind of device the values live on.
        running: Averages that rows have beside them.
        width: Columns of what is measured.
    """

    def __init__(
        self, sink: RowSink, view: StepWatcher, limit: float, device: str,
        running: Running | None = None, width: int = 0,
    ) -> None:  # fmt: skip
        self._sink = sink
        self._view = view
        self._limit = limit
        self._running = running
        self._width = width
        self._every = _READ_EVERY.get(device, 64)
        self._pending: list[tuple[StepRecord, tuple[int, int], list[float] | None]] = []
        self._rows: list[tuple[Cell, ...]] = []
        self.reason: str | None = None
        """Why the run diverged; None while it has not."""
        self.last = Last(0, 0, 0, 0)
        """The last row: the diverged one, if there was one."""

    def add(
        self, record: StepRecord, evaluations: tuple[int, int], measured: list[float] | None
    ) -> None:
        """Take the values of a step; tensors among them are read only once a block is full.

        Args:
            record: What every step logs.
            evaluations: How often the loss and its gradient were computed so far.
            measured: What diagnostics found in the step; None where nothing was due.
        """
        self._pending.append((record, evaluations, measured))
        if len(self._pending) >= self._every:
            self.read()

    def read(self) -> None:
        """Read all pending values; rows after a diverged step are dropped."""
        for record, evaluations, measured in self._pending:
            loss, norm, factor = (float(value) for value in record[4:])
            step = record.step
            row: tuple[Cell, ...] = (*record[:4], loss, norm, factor)
            if self._running is not None:
                row += cells(self._running.add(step, loss, norm, factor), len(COLUMNS))
            if self._width:
                row += cells(measured, self._width)
            self._rows.append(row)
            self.last = Last(step, record.examples, *evaluations)
            self._view.step(step, loss, record.lr, norm)
            self.reason = verdict(step, loss, norm, self._limit)
            if self.reason is not None:
                break
        self._pending.clear()
        if len(self._rows) >= _WRITE_EVERY:
            self.write()

    def write(self) -> None:
        """Hand over the rows read so far."""
        self._sink.steps(self._rows)
        self._rows = []


def verdict(step: int, loss: float, norm: float, limit: float) -> str | None:
    """Return why a run has diverged at a step; None when it has not.

    Args:
        step: Counted from 1.
        loss: Of the step.
        norm: Of its gradient.
        limit: A loss above it counts as diverged.
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
