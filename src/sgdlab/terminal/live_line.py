"""The parts of a live line, in the columns that a terminal has."""

import sys
from collections.abc import Sequence

from rich.live import Live
from rich.text import Text

from sgdlab.terminal.console import console, takes_codes


def clock(seconds: float) -> str:
    """Return a time as ``0:07`` or ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def in_middle(name: str, most: int) -> str:
    """Return a name of at most so many characters: of a longer one its middle is left out."""
    if len(name) <= most:
        return name
    ends = max(most - 1, 2)
    return f"{name[: (ends + 1) // 2]}…{name[len(name) - ends // 2 :]}"


def live_line(
    name: str, done: int, total: int, left: float | None, state: Sequence[str], width: int
) -> str:
    """Return name, bar, count and time left, then as much of the state as there is room for.

    Args:
        name: The name; its middle is left out where it is long.
        done: How many of ``total`` are done.
        total: How many there are.
        left: The seconds that are left; None: not known, and nothing is said.
        state: Short texts, the most important first.
        width: The columns of the terminal.
    """
    count = f"{done}/{total}"
    time = "" if left is None else f"{clock(left)} left"
    fixed = len(count) + (len(time) + 1 if time else 0)
    name = in_middle(name, max(4, min(width // 3, width - fixed - 10)))
    bars = max(4, min(24, width // 5, width - fixed - len(name) - 3))
    filled = round(bars * done / max(total, 1))
    parts = [name, "━" * filled + "╌" * (bars - filled), count, *([time] if time else [])]
    line = " ".join(parts)
    for text in state:
        if len(line) + 2 + len(text) >= width:
            break
        line += f"  {text}"
    return line[: width - 1]


class LiveLine:
    """A line at the foot of a terminal that is drawn anew; nothing where none is possible.

    Attributes:
        live: Whether it is drawn.
    """

    def __init__(self) -> None:
        self.live = takes_codes(sys.stderr)
        self.console = console(stderr=True)
        self._live = Live(console=self.console, transient=True, auto_refresh=False)

    def start(self) -> None:
        """Show the line from now on."""
        if self.live:
            self._live.start()

    def stop(self) -> None:
        """Take the line away."""
        if self.live:
            self._live.stop()

    def draw(
        self,
        name: str,
        done: int,
        total: int,
        left: float | None,
        state: Sequence[str],
        above: Sequence[str] = (),
    ) -> None:
        """Draw the line anew, and lines above it; see `live_line`."""
        text = live_line(name, done, total, left, state, self.console.width)
        self._live.update(Text("\n".join([*above, text]), no_wrap=True), refresh=True)
