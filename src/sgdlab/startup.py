"""Python's search for garbage, left out where there is none."""

import contextlib
import gc
import sys
from collections.abc import Iterator


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
