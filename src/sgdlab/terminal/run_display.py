"""Live progress of one run on stderr: curves and a bar on a terminal, plain lines elsewhere."""

import sys
import time
from typing import Protocol

from sgdlab.terminal.console import wrapped
from sgdlab.terminal.curves import BinnedCurve, curve_lines, side_by_side
from sgdlab.terminal.live_line import LiveLine
from sgdlab.terminal.numbers import metric_text
from sgdlab.terminal.quiet import is_quiet


class Early(Protocol):
    """Says early what is going wrong; see `sgdlab.diagnosis.EarlyWarnings`."""

    def step(  # noqa: D102
        self, step: int, loss: float, lr: float, grad_norm: float
    ) -> str | None: ...


_BETWEEN_DRAWINGS = 0.2  # seconds
_COLUMNS, _ROWS = 26, 4
"""Characters of a curve of a run; a terminal has room for two of them from 72 columns on."""

_LEAST_LINES = 12
"""Lines of a terminal below which a run has no curves in it."""


class RunDisplay:
    """Shows one run: curves of loss and metric, and a bar with numbers and time left.

    The numbers are loss average, metric, lr, gradient norm and rate. A curve shows means over equal
    parts of the run, of the loss of its steps and of its evaluations.

    The loss average is exponential with a horizon of 50 steps, corrected for its start:
    ``a_t = (sum_k 0.98^(t-k) loss_k) / (sum_k 0.98^(t-k))``.

    Args:
        total_steps: The steps of the run.
        metric: The name of the validation metric.
        early: What says early that something goes wrong; its lines are shown as they come.
    """

    def __init__(self, total_steps: int, metric: str, early: Early | None = None) -> None:
        self._early = early
        self._metric = metric
        self._total = total_steps
        self._sum = self._weight = 0.0
        self._value: float | None = None
        self._start = self._drawn = time.monotonic()
        self._line_at = 1
        self._first: int | None = None
        self._step = 0
        self._losses, self._metrics = (BinnedCurve(total_steps, 2 * _COLUMNS) for _ in range(2))
        self._line = LiveLine()

    def __enter__(self) -> "RunDisplay":
        self._line.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._line.stop()

    def step(self, step: int, loss: float, lr: float, grad_norm: float) -> None:
        """Take the values of a step; draw five times a second, or a line at each power of two."""
        self._sum = 0.98 * self._sum + loss
        self._weight = 0.98 * self._weight + 1.0
        if self._first is None:
            self._first = step - 1  # a run that goes on begins in its middle
        if self._early is not None and (line := self._early.step(step, loss, lr, grad_norm)):
            early = wrapped(f"sgdlab: early warning: {line}", sys.stderr)
            self._line.console.print(early, markup=False, highlight=False, soft_wrap=True)
        if self._line.live:
            self._step = step
            self._losses.add(step, loss)
            now = time.monotonic()
            if now - self._drawn >= _BETWEEN_DRAWINGS:
                self._drawn = now
                left = (now - self._start) / (step - self._first) * (self._total - step)
                state = self._state(step, lr, grad_norm)
                self._line.draw("step", step, self._total, left, state, self._curves())
        elif not is_quiet() and (step >= self._line_at or step == self._total):
            self._line_at = max(2 * self._line_at, step + 1)
            state = "  ".join(self._state(step, lr, grad_norm))
            print(f"step {step}/{self._total}  {state}", file=sys.stderr, flush=True)

    def evaluated(self, metric: float) -> None:
        """Take the validation metric."""
        self._value = metric
        self._metrics.add(max(self._step, 1), metric)

    def _curves(self) -> list[str]:
        """Return loss and metric as curves, as far as the terminal has room."""
        if self._line.console.size.height < _LEAST_LINES:
            return []
        loss = curve_lines("loss", self._losses.means(), _ROWS)
        metric = curve_lines(f"val {self._metric}", self._metrics.means(), _ROWS)
        return side_by_side([loss, metric], self._line.console.width)

    def _state(self, step: int, lr: float, grad_norm: float) -> list[str]:
        made = step - (self._first or 0)
        rate = made / max(time.monotonic() - self._start, 1e-9)
        value = metric_text(self._metric, self._value)
        return [
            f"loss {self._sum / self._weight:.4f}", f"val {self._metric} {value}", f"lr {lr:.3g}",
            f"grad norm {grad_norm:.3g}", f"{rate:.0f} steps/s",
        ]  # fmt: skip
