"""A process that trains runs alone, one after another, and is warm when they come."""

import contextlib
import importlib
import multiprocessing
import signal
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sgdlab.config.schema import RunConfig
from sgdlab.errors import InputError
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.run import train_run

Runs = Sequence[tuple[RunConfig, Path]]
"""Configs and the directories of their runs."""

WARM_UP = 50
"""Steps of each optimizer that do not count: the first ones in a process are slower."""


class SoloProcess:
    """Trains runs one after another in a process of its own: one that trained stacks keeps memory.

    To start takes seconds, in which whoever needs it later can do other work. It ends after the
    block, and at once where that ends by an exception.
    """

    def __init__(self) -> None:
        self._process: Any = None
        self._runs: Connection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runs is not None:
            with contextlib.suppress(OSError):  # it has ended already
                self._runs.send(None)
            self._runs.close()
        if self._process is not None and kind is not None:
            self._process.kill()
            self._process.join()

    def start(self) -> None:
        """Start it, unless that was done.

        Raises:
            OSError: There can be no other process.
        """
        if self._process is not None:
            return
        context = multiprocessing.get_context("spawn")
        self._runs, theirs = context.Pipe()
        # Not daemonic: a run with isolate=true has a process of its own.
        process = context.Process(target=_serve, args=(theirs,))
        with _deaf():
            process.start()
        theirs.close()
        self._process = process

    def train(self, runs: Runs) -> list[str | None]:
        """Train runs; return what was wrong with each.

        Raises:
            OSError: The process has ended, or could not be started.
        """
        self.start()
        assert self._runs is not None, "start makes it"
        try:
            self._runs.send(runs)
            found: list[str | None] | BaseException = self._runs.recv()
        except EOFError as error:
            self._process.join()
            raise ProcessLookupError(f"exit code {self._process.exitcode}") from error
        if isinstance(found, BaseException):
            raise found
        return found


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Let what starts in the block hear no Ctrl-C until it trains: it would show a traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker  # needs what Windows lacks

    resource_tracker.ensure_running()  # its first start would unblock the signal again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(runs: Connection) -> None:
    """Train what comes until nothing more does."""
    importlib.import_module("torch._dynamo")  # the first optimizer would
    warm: set[str] = set()
    while True:
        try:
            todo: Runs | None = runs.recv()
        except (EOFError, OSError):
            return
        if todo is None:
            return
        found: list[str | None] | BaseException
        try:
            if hasattr(signal, "pthread_sigmask"):
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            found = [_said(config, directory, warm) for config, directory in todo]
        except BaseException as error:
            found = error
        with contextlib.suppress(OSError):  # nobody waits for it any more
            runs.send(found)


def _said(config: RunConfig, directory: Path, warm: set[str]) -> str | None:
    try:
        name = config.names["optimizer"]
        if name not in warm:
            warm.add(name)
            _warm_up(config)
        train_run(config, directory, NoDisplay())
    except InputError as error:
        return str(error)
    return None


def _warm_up(config: RunConfig) -> None:
    assert config.max_steps is not None, "timing runs are counted in steps"
    short = replace(config, max_steps=min(config.max_steps, WARM_UP))
    with tempfile.TemporaryDirectory() as folder:
        train_run(short, Path(folder) / "warm-up", NoDisplay())
