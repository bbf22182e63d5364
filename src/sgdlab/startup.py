"""What a process needs before it works: where the configs lie, and no search for garbage."""

import contextlib
import gc
import sys
from collections.abc import Iterator
from pathlib import Path


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
