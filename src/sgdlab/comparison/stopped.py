"""What is said of a comparison that was told to stop: how to see what there is, and to go on."""

import contextlib
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from sgdlab.report.typed_command import typed_command
from sgdlab.results import has_run
from sgdlab.signals import Interrupted
from sgdlab.terminal.display import shown, typed


@contextlib.contextmanager
def says_how_to_go_on(folder: Path) -> Iterator[None]:
    """Give an interrupt of the block the commands that report a comparison, and go on with it."""
    try:
        yield
    except Interrupted as told:
        told.how = _how(folder)
        raise


def _how(folder: Path) -> str | None:
    """Return the two commands; None leaves what is said of any comparison."""
    tokens = typed_command(shlex.join([*sys.argv[0].split(), *sys.argv[1:]]))
    if tokens is None:  # called from Python
        return None
    again = f"goes on when the command is typed again: {shlex.join(tokens)}"
    if not has_run(folder):
        return f"no run has begun; it {again}"
    where = shown(folder)
    return f"{where} is reported as it is by {typed('report', where)}; it {again}"
