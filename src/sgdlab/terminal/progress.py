"""Live progress on stderr: a bar on a terminal, sparse plain lines elsewhere."""

import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sgdlab.errors import InputError
from sgdlab.results import DIVERGED, FAILED, STOPPED, Cell, read_summary
from sgdlab.terminal.numbers import metric_text, number


class NoDisplay:
    """Shows nothing, for runs inside a sweep."""

    def step(self, step: int, loss: float, lr: float, grad_norm: float) -> None:
        """Ignore a step."""

    def evaluated(self, metric: float) -> None:
        """Ignore an evaluation."""


class Early(Protocol):
    """Says early what is going wrong; see `sgdlab.diagnosis.EarlyWarnings`."""

    def step(  # noqa: D102
        self, step: int, loss: float, lr: float, grad_norm: float
    ) -> str | None: ...


def _bar(console: Console, auto_refresh: bool) -> Progress:
    columns = (
        TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(),
        TextColumn("{task.fields[state]}"), TimeRemainingColumn(compact=True),
    )  # fmt: skip
    return Progress(*columns, console=console, transient=True, auto_refresh=auto_refresh)


class RunDisplay:
    """Shows one run: a bar with loss average, metric, lr, gradient norm, rate and time left.

    The loss average is exponential with a horizon of 50 steps, corrected for its start:
    ``a_t = (sum_k 0.98^(t-k) loss_k) / (sum_k 0.98^(t-k))``.

    Args:
        total_steps: The steps of the run.
        metric: The name of the validation metric.
        early: What says early that something goes wrong; its lines are shown as they come.
    """

    def __init__(self, total_steps: int, metric: str, early: Early | None = None) -> None:
        self._early = early
        self._console = Console(stderr=True)
        self._metric = metric
        self._total = total_steps
        self._sum = self._weight = 0.0
        self._value: float | None = None
        self._start = self._drawn = time.monotonic()
        self._line_at = 1
        self._bar = _bar(self._console, auto_refresh=False)
        self._task = self._bar.add_task("step", total=total_steps, state="")

    def __enter__(self) -> "RunDisplay":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, step: int, loss: float, lr: float, grad_norm: float) -> None:
        """Take the values of a step; draw ten times a second, or a line at each power of two."""
        self._sum = 0.98 * self._sum + loss
        self._weight = 0.98 * self._weight + 1.0
        if self._early is not None and (line := self._early.step(step, loss, lr, grad_norm)):
            self._bar.console.print(f"sgdlab: early warning: {line}", markup=False, soft_wrap=True)
        if self._console.is_terminal:
            now = time.monotonic()
            if now - self._drawn >= 0.1:
                self._drawn = now
                state = self._state(step, lr, grad_norm)
                self._bar.update(self._task, completed=step, state=state, refresh=True)
        elif step >= self._line_at or step == self._total:
            self._line_at = max(2 * self._line_at, step + 1)
            state = self._state(step, lr, grad_norm)
            print(f"step {step}/{self._total}  {state}", file=sys.stderr, flush=True)

    def evaluated(self, metric: float) -> None:
        """Take the validation metric."""
        self._value = metric

    def _state(self, step: int, lr: float, grad_norm: float) -> str:
        rate = step / max(time.monotonic() - self._start, 1e-9)
        value = metric_text(self._metric, self._value)
        return (
            f"loss {self._sum / self._weight:.4f}  val {self._metric} {value}  lr {lr:.3g}  "
            f"grad norm {grad_norm:.3g}  {rate:.0f} steps/s"
        )


class SweepDisplay:
    """Shows how far a sweep is by watching for summaries, whatever launcher runs it.

    Args:
        title: The word before the bar.
        directories: The folders of the runs that are still to come.
        done: How many runs were finished before.
    """

    def __init__(self, title: str, directories: Sequence[Path], done: int = 0) -> None:
        self._console = Console(stderr=True)
        self._waiting = set(directories)
        self._total = len(directories) + done
        self._skipped = done
        self._title = title
        self._counts = {STOPPED: 0, DIVERGED: 0, FAILED: 0}
        self._best: float | None = None
        self._start = time.monotonic()
        self._reported = done
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._bar = _bar(self._console, auto_refresh=True)
        self._task = self._bar.add_task(title, total=self._total, completed=done, state="")

    def __enter__(self) -> "SweepDisplay":
        if self._console.is_terminal:
            self._bar.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._look()
        self._bar.stop()

    def _watch(self) -> None:
        while not self._end.wait(0.5):
            self._look()

    def _look(self) -> None:
        for directory in [d for d in self._waiting if (d / "summary.csv").is_file()]:
            self._waiting.discard(directory)
            try:
                self._count(read_summary(directory) or {})
            except InputError:
                continue  # still counts as ended; whoever reads the results reports the damage
        done = self._total - len(self._waiting)
        if self._console.is_terminal:
            self._bar.update(self._task, completed=done, state=self._state())
        elif done > self._reported and (
            done - self._reported >= self._total / 20 or done == self._total
        ):
            self._reported = done
            seconds = time.monotonic() - self._start
            left = seconds / max(done - self._skipped, 1) * (self._total - done)
            timing = f"{seconds:.0f} s, about {left:.0f} s left"
            print(
                f"{self._title} {done}/{self._total}  {self._state()}  {timing}",
                file=sys.stderr, flush=True,
            )  # fmt: skip

    def _count(self, summary: dict[str, Cell]) -> None:
        status = str(summary.get("status"))
        if status in self._counts:
            self._counts[status] += 1
        loss = summary.get("final_val_loss")
        if isinstance(loss, float) and (self._best is None or loss < self._best):
            self._best = loss

    def _state(self) -> str:
        bad = "".join(f"  {count} {status}" for status, count in self._counts.items() if count)
        return f"best val loss {number(self._best)}{bad}"
