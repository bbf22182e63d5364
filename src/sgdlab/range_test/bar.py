"""Live progress of a range test on stderr: a bar on a terminal, nothing elsewhere."""

import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


class Bar:
    """Shows the rate and the loss of a range test, ten times a second.

    Args:
        title: Word before the bar.
        steps: Updates to make.
        console: By default standard error.
    """

    def __init__(self, title: str, steps: int, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._drawn = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}", markup=False), BarColumn(bar_width=24),
            MofNCompleteColumn(), TextColumn("{task.fields[state]}", markup=False),
            console=self._console, transient=True, auto_refresh=False,
        )  # fmt: skip
        self._task = self._bar.add_task(title, total=steps, state="")

    def __enter__(self) -> "Bar":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._bar.stop()  # elsewhere rich prints an empty line

    def step(self, step: int, loss: float, lr: float, grad_norm: float) -> None:
        """Take the values of an update."""
        now = time.monotonic()
        if self._console.is_terminal and now - self._drawn >= 0.1:
            self._drawn = now
            state = f"lr {lr:.3g}  loss {loss:.4g}  grad norm {grad_norm:.3g}"
            self._bar.update(self._task, completed=step, state=state, refresh=True)
