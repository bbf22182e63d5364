"""Seeds for random generators that are made without one."""

import contextlib
import random
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from numpy.random import bit_generator


@contextlib.contextmanager
def seeds_for_the_unseeded() -> Iterator[None]:
    """Let generators that are made without a seed take one from Python's global generator.

    ``np.random.default_rng()`` and its kin ask one function of NumPy for entropy, Python's ``seed``
    asks the system. Neither has a public place to say otherwise. Those that Python's library makes
    for itself, such as that of `tempfile` for its names, keep the system's: they are made once a
    process, or in a thread, and would move what the code of a run draws.
    """
    entropy = getattr(bit_generator, "randbits", None)
    seed, global_seed = random.Random.seed, random.seed

    def seed_one(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None and not _is_of_the_library(sys._getframe(1)):
            a = random.getrandbits(128)
        seed(self, a, version)

    def seed_all(a: Any = None, version: int = 2) -> None:
        global_seed(random.getrandbits(128) if a is None else a, version)

    bit_generator.randbits = random.getrandbits  # type: ignore[attr-defined]
    random.Random.seed, random.seed = seed_one, seed_all  # type: ignore[method-assign]
    try:
        yield
    finally:
        random.Random.seed, random.seed = seed, global_seed  # type: ignore[method-assign]
        bit_generator.randbits = entropy  # type: ignore[attr-defined]


def _is_of_the_library(frame: FrameType | None) -> bool:
    """Say whether Python's own library has called, through `random`."""
    while frame is not None and frame.f_globals.get("__name__") == "random":
        frame = frame.f_back
    module = str(frame.f_globals.get("__name__", "")) if frame is not None else ""
    return module.partition(".")[0] in sys.stdlib_module_names
