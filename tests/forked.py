"""Another process: a fork of this one that holds folders, for tests of two writers."""

import contextlib
import os
import select
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from sgdlab.results.lock import held


class Forked:
    """A process that does something, tells when, and lives until it is ended.

    Args:
        enter: What it does at first; it gets an `ExitStack` for what is to last.
    """

    def __init__(self, enter: Callable[[contextlib.ExitStack], object]) -> None:
        ready, tell = os.pipe()
        wait, self._end = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # pytest has threads
            self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                os.close(ready)
                os.close(self._end)
                with contextlib.ExitStack() as stack:
                    enter(stack)
                    os.write(tell, b"+")
                    select.select([wait], [], [], 60)
                code = 0
            finally:
                os._exit(code)
        os.close(tell)
        os.close(wait)
        assert os.read(ready, 1) == b"+", "it failed"
        os.close(ready)

    def end(self) -> None:
        """Let it end as it should."""
        os.write(self._end, b"+")  # others have inherited the descriptor: it stays open
        os.close(self._end)
        assert os.waitpid(self.pid, 0)[1] == 0

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._end)


@contextlib.contextmanager
def another(folder: Path, **how: bool) -> Iterator[Forked]:
    """Have another process hold a folder."""
    process = Forked(lambda stack: stack.enter_context(held(folder, **how)))
    yield process
    process.end()
