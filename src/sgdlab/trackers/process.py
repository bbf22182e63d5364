"""The processes that follow runs for trackers, seen from the command that trains the runs."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path

from sgdlab.terminal.display import shown
from sgdlab.terminal.notices import warn
from sgdlab.trackers.settings import Logger, option_of
from sgdlab.visible import shell_path, shell_word

PATIENCE = 5.0
"""Seconds without a sign of life after which a tracker that was told to end is given up."""

WORKS = 0.05
"""Seconds of a processor's time within `PATIENCE` that are a sign of life, too: it imports."""

ALTOGETHER = 60.0
"""Seconds after which it is given up though it lives: what is left is sent by ``report --to``."""


@contextlib.contextmanager
def following(logger: Logger, root: Path) -> Generator[None]:
    """Send what the runs below a folder write in the block to trackers, each by a process.

    Whatever becomes of a tracker, the block goes on, and one line says it.

    Args:
        logger: The trackers; none starts nothing.
        root: The folder of a run, a sweep or a comparison; it need not be there yet.
    """
    followers = _started(logger, [root])
    try:
        yield
    finally:
        for follower in followers:
            follower.tell_to_end()
        for follower in followers:
            follower.wait(ALTOGETHER)


def send(logger: Logger, roots: Sequence[Path], report: Path) -> list[tuple[str, int, int]]:
    """Send what runs have to trackers, and wait as long as they show signs of life.

    Args:
        logger: The trackers.
        roots: Folders of runs, sweeps or comparisons.
        report: The folder of their report.

    Returns:
        Of each tracker its name, the runs of which something was sent, and all; one that failed,
        which was told, is not among them.
    """
    found: list[tuple[str, int, int]] = []
    for name in logger:
        for follower in _started({name: logger[name]}, roots, report):
            follower.tell_to_end()
            follower.wait(float("inf"))
            if follower.sent is not None:
                found.append((name, *follower.sent))
    return found


def _started(
    logger: Logger, roots: Sequence[Path], report: Path | None = None
) -> list["_Follower"]:
    """Start a process for each tracker; where the machine refuses one, say so."""
    found: list[_Follower] = []
    for name in logger:
        try:
            found.append(_Follower(name, logger, roots, report))
        except OSError as error:
            warn(f"logger={name}: no process can be started for it: {error}")
    return found


class _Follower:
    """The process of one tracker."""

    def __init__(
        self,
        name: str,
        logger: Logger,
        roots: Sequence[Path],
        report: Path | None = None,
    ) -> None:
        self.name, self._roots, self._section = name, roots, logger[name]
        self.sent: tuple[int, int] | None = None
        """Runs of which something was sent, and all; None while, or where, that is not known."""
        self._given_up, self._reason = False, ""
        self._lived, self._worked = time.monotonic(), 0.0
        told = {
            "name": name, "section": logger[name], "path": sys.path,
            "roots": [os.path.abspath(root) for root in roots],
            "report": None if report is None else os.path.abspath(report),
        }  # fmt: skip
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sgdlab.trackers.follow"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for the command, which then tells it to end
            text=True,
        )
        self._write(json.dumps(told))
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def tell_to_end(self) -> None:
        """Let it send what is left, and end."""
        self._lived, self._worked = time.monotonic(), self._work()
        self._write("end")

    def wait(self, altogether: float) -> None:
        """Wait for its end, as long as it lives; then end it.

        Args:
            altogether: Seconds after which it is ended though it lives.
        """
        begin = time.monotonic()
        try:
            while self._reader.is_alive() and self.sent is None:
                self._reader.join(0.02)
                now = time.monotonic()
                silent = now - self._lived > PATIENCE and not self._has_worked(now)
                if silent or now - begin > altogether:
                    self._give_up("shows no sign of life" if silent else "has not sent all")
                    break
        finally:  # an impatient Ctrl-C, too
            self._end()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lived = time.monotonic()
            word, _, rest = line.strip().partition(" ")
            if word == "sent":
                sent, _, every = rest.partition(" ")
                self.sent = int(sent), int(every)
            elif word == "failed":
                self._reason = rest
        if self.sent is None and not self._given_up:
            code = self._process.wait()
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            self._tell(self._reason or f"its process has ended ({how})")

    def _has_worked(self, now: float) -> bool:
        """Say whether it has used its processor lately, as while it imports."""
        before, self._worked = self._worked, self._work()
        if is_at_work := self._worked - before >= WORKS:
            self._lived = now
        return is_at_work

    def _work(self) -> float:
        """Return the seconds of a processor that it has had; 0 where the system does not tell."""
        try:
            text = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="utf-8")
        except OSError:
            return 0.0
        stat = text.rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def _give_up(self, why: str) -> None:
        self._given_up = True
        self._tell(why)

    def _tell(self, what: str) -> None:
        roots = " ".join(shell_path(shown(root)) for root in self._roots)
        again = f"sgdlab report {roots} --to {shell_word(option_of(self.name, self._section))}"
        warn(f"logger={self.name}: {what}; runs and their files are whole, {again} sends the rest")

    def _end(self) -> None:
        """End it, and what its package has started; one that has sent all has ended by itself."""
        if self.sent is None:
            self._given_up = True
            with contextlib.suppress(OSError):
                if hasattr(os, "killpg"):
                    os.killpg(self._process.pid, signal.SIGKILL)
                else:
                    self._process.kill()
        self._reader.join(PATIENCE)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(OSError):
                stream.close()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended already, which is told
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()


def _environment() -> dict[str, str]:
    """Return the environment with the folder that this package is imported from."""
    here = str(Path(__file__).resolve().parents[2])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
