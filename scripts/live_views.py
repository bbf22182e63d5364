"""Commands in a terminal of their own (a pty), and what they drew there.

``python scripts/live_views.py`` records docs/live.md anew: in it a comment ``<!-- view: NAME -->``
stands before each block of text that a command has drawn. Needs a POSIX system.
"""

import codecs
import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")
_ERASED = re.compile(r"(?:\x1b\[1A\x1b\[2K)+|\r\x1b\[2K(?:\x1b\[1A\x1b\[2K)*")

PAGE = Path(__file__).parents[1] / "docs/live.md"
BLOCK = re.compile(r"(<!-- view: (\w+) -->\n```text\n)(.*?)\n```", re.S)
COLUMNS = 96


@dataclass(frozen=True)
class View:
    """What is recorded for a block of the page.

    Attributes:
        command: The command line, as the page shows it.
        shows: A pattern in the frame that is kept: the first of those that have it, else the last.
        code: The exit code.
        ctrl_c: A pattern; once it was drawn, Ctrl-C is pressed.
    """

    command: str
    shows: str
    code: int = 0
    ctrl_c: str = ""


COMPARE = (
    "sgdlab compare 'optimizers=[nesterov,adamw]' dataset=digits model=mlp trials=4 replicates=2 "
    "seeds=1 epochs=20 study=seen engine=sequential"
)
VIEWS = {
    "train": View("sgdlab train dataset=digits model=mlp epochs=80", r"step \S+ [6-9]\d\d/1360"),
    "stopped": View(COMPARE, "interrupted", 130, r"final \S+ [1-4]/4"),
    "unfinished": View("sgdlab report runs/seen", "so far"),
    "compare": View(COMPARE.replace("seen", "whole"), r"tune \S+ (?:9|1[0-5])/16"),
}
"""What is recorded, in this order, in one folder."""

PATIENCE = 600.0
"""Seconds after which a command counts as hung, however slow the machine."""


@dataclass(frozen=True)
class Drawn:
    """What a command has written to its terminal.

    Attributes:
        code: Its exit code.
        raw: All of it, with escape codes.
    """

    code: int
    raw: str

    @property
    def text(self) -> str:
        """All that was ever written, without codes."""
        return _CODES.sub("", self.raw).replace("\r", "")

    @property
    def frames(self) -> list[str]:
        """What stood in the terminal each time before a part of it was drawn anew."""
        parts = (_CODES.sub("", part).replace("\r", "") for part in _ERASED.split(self.raw))
        return [part.strip("\n") for part in parts if part.strip()]


def in_terminal(
    arguments: Sequence[object],
    folder: Path,
    *,
    size: tuple[int, int] = (24, 80),
    environment: Mapping[str, str] | None = None,
    until: Callable[[str], bool] | None = None,
) -> Drawn:
    """Run ``sgdlab`` in a terminal of some lines and columns.

    Args:
        arguments: Its arguments.
        folder: Where it runs.
        size: Lines and columns.
        environment: Variables besides those of this process.
        until: Says, by what was written so far, when to press Ctrl-C, once.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    own = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    own |= {"TERM": "xterm-256color", **(environment or {})}
    command = [sys.executable, "-m", "sgdlab", *map(str, arguments)]
    process = subprocess.Popen(
        command, cwd=folder, env=own, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True, preexec_fn=_takes_terminal,
    )  # fmt: skip
    os.close(theirs)
    decoder, raw, end = (
        codecs.getincrementaldecoder("utf-8")("replace"),
        "",
        time.monotonic() + PATIENCE,
    )
    try:
        while time.monotonic() < end:
            if not select.select([ours], [], [], 0.1)[0]:
                if process.poll() is not None:
                    break
                continue
            try:
                read = os.read(ours, 65536)
            except OSError:  # Linux's word for a terminal whose processes have ended
                break
            if not read:
                break
            raw += decoder.decode(read)
            if until is not None and until(raw):
                os.write(ours, b"\x03")
                until = None
        return Drawn(process.wait(30), raw)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)


def _takes_terminal() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs ignore it
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def recorded(name: str, folder: Path) -> Drawn:
    """Run the command of a view in a folder; return all that it drew."""
    view = VIEWS[name]
    pattern = re.compile(view.ctrl_c) if view.ctrl_c else None
    until = None if pattern is None else lambda raw: pattern.search(_CODES.sub("", raw)) is not None
    drawn = in_terminal(shlex.split(view.command)[1:], folder, size=(24, COLUMNS), until=until)
    if drawn.code != view.code:
        raise RuntimeError(f"{view.command}: exit code {drawn.code}\n{drawn.text}")
    return drawn


def frame_of(name: str, drawn: Drawn) -> str:
    """Return the frame that stands for a view on the page."""
    shown = [frame for frame in drawn.frames if re.search(VIEWS[name].shows, frame)]
    return "\n".join(line.rstrip() for line in (shown or drawn.frames)[:1][0].splitlines())


def main() -> None:
    """Record every view anew."""
    with tempfile.TemporaryDirectory() as folder:
        made = {name: frame_of(name, recorded(name, Path(folder))) for name in VIEWS}
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        BLOCK.sub(lambda found: f"{found[1]}{made[found[2]]}\n```", text), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
