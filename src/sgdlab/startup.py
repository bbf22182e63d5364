"""What a process needs before it works: configs, imports that succeed, no search for garbage."""

import contextlib
import gc
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sgdlab.errors import UnwritableError


def conf_dir() -> Path:
    """Return the folder of the shipped configs: inside the wheel, or beside ``src``."""
    here = Path(__file__).resolve().parent
    packaged = here / "conf"
    return packaged if packaged.is_dir() else here.parents[1] / "conf"


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Look for no garbage in the block, nor later among what its imports made: modules stay.

    Torch makes so much that the searches would take a tenth of the time to a run's first step.
    """
    was_on, modules = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > modules:
            gc.freeze()
        if was_on:
            gc.enable()


@contextlib.contextmanager
def silenced(silent: bool) -> Iterator[None]:
    """Let what is printed in the block go nowhere, if ``silent``; a traceback comes after it."""
    if not silent:
        yield
        return
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
    ):
        yield


class _Output(io.TextIOWrapper):
    """Standard output: an error of a write names it, as no other file's does.

    Where a reader has had enough, as in ``| head``, the rest goes nowhere, and the command goes on.
    """

    def write(self, text: str, /) -> int:
        """Write text.

        Raises:
            UnwritableError: The disk is full, or the output is closed.
        """
        with _naming():
            try:
                return super().write(text)
            except BrokenPipeError:
                self._forget()
                return len(text)

    def flush(self) -> None:
        """Write what waits.

        Raises:
            UnwritableError: The disk is full, or the output is closed.
        """
        with _naming():
            try:
                super().flush()
            except BrokenPipeError:
                self._forget()

    def _forget(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


@contextlib.contextmanager
def _naming() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnwritableError(error.errno, error.strerror, "standard output") from error


class _Messages(io.TextIOWrapper):
    """Standard error: what cannot be told is left out, and ends no run."""

    def write(self, text: str, /) -> int:
        """Write text, if it can be written."""
        with contextlib.suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        """Write what waits, if it can be written."""
        with contextlib.suppress(OSError):
            super().flush()


@contextlib.contextmanager
def streams() -> Iterator[None]:
    """Write to this process's standard output and error by `_Output` and `_Messages`.

    One that is closed is opened on nothing: else the next file that is opened would take its place,
    and get what is printed. Streams that somebody has put in their place are left alone.
    """
    before = sys.stdout, sys.stderr
    closed = [stream is None for stream in before]
    for number in (0, 1, 2):  # in order: the lowest free number is taken
        with contextlib.suppress(OSError):
            os.fstat(number)
            continue
        # What is written to a closed output is refused, and to a closed error thrown away.
        os.open(os.devnull, os.O_WRONLY if number == 2 else os.O_RDONLY)
    if closed[0] or sys.stdout is sys.__stdout__:
        sys.stdout = _like(before[0], 1, _Output)
    if closed[1] or sys.stderr is sys.__stderr__:
        sys.stderr = _like(before[1], 2, _Messages)
    try:
        yield
    finally:
        # What was put in their place would be written at the end of the interpreter, if that comes.
        for stream, own in zip((sys.stdout, sys.stderr), before, strict=True):
            if stream is not own and stream is not None:
                with contextlib.suppress(OSError, ValueError):
                    stream.flush()
        sys.stdout, sys.stderr = before


def _like(stream: Any, number: int, kind: type[io.TextIOWrapper]) -> io.TextIOWrapper:
    """Return a stream of another kind on the same file."""
    if stream is None:
        return kind(open(number, "wb", closefd=False), "utf-8", "backslashreplace")
    stream.flush()
    buffer = open(number, "wb", buffering=io.DEFAULT_BUFFER_SIZE, closefd=False)  # noqa: SIM115
    # Under ``PYTHONUNBUFFERED`` a stream writes through to its buffer, which was none there.
    by_line = stream.line_buffering or stream.write_through
    return kind(buffer, stream.encoding, stream.errors, line_buffering=by_line)


class TorchvisionHelp:
    """Lets torchvision be imported beside a torch that it was not built for, whoever imports it.

    A torchvision built for CUDA beside a torch built for CPU (the default wheels of the two
    indices mix so) cannot load its operators, skips them in silence, and then fails at import,
    because its module ``_meta_registrations`` describes two of them, ``nms`` and ``qnms``, that
    nobody declared. This finder finds nothing; when that module is asked for, it declares those of
    the two that are missing, without an implementation. One that is called still fails, and one
    that exists is left alone. Models, transforms, datasets and most of ``torchvision.ops`` need
    neither. (`importlib.abc.MetaPathFinder`, which it is by its method, takes 20 ms to import.)
    """

    def find_spec(self, fullname: str, *_: object) -> None:
        """Declare what is missing when torchvision is about to describe it; find nothing."""
        if fullname == "torchvision._meta_registrations":
            torch = sys.modules["torch"]  # which torchvision has imported
            for operator in ("nms", "qnms"):
                if not hasattr(torch.ops.torchvision, operator):
                    schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
                    torch.library.define(f"torchvision::{operator}", schema)


def help_torchvision() -> None:
    """Install `TorchvisionHelp` in this process, once."""
    if not any(isinstance(finder, TorchvisionHelp) for finder in sys.meta_path):
        sys.meta_path.insert(0, TorchvisionHelp())  # type: ignore[arg-type]


def processors() -> int:
    """Return how many processors this process may use, which may be fewer than the machine has."""
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    affinity = getattr(os, "sched_getaffinity", None)  # Linux has it alone
    return len(affinity(0)) if affinity else os.cpu_count() or 1
