"""Lines for a person that are neither results nor errors."""

import sys

from sgdlab.terminal.console import wrapped
from sgdlab.terminal.quiet import is_quiet, keep
from sgdlab.visible import visible


def warn(text: str) -> None:
    """Print a warning on stderr: one line, on a terminal wrapped at words; see `quiet`."""
    if is_quiet():
        keep(visible(text))
        return
    print(wrapped(f"sgdlab: note: {visible(text)}", sys.stderr), file=sys.stderr)
