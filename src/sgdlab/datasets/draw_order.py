"""The random order in which rows are dealt out to the splits."""

import hashlib

import numpy as np


def draw_order(seed: int, count: int) -> np.ndarray:
    """Return the numbers ``0..count-1`` in a random order, the same in all versions of NumPy.

    Rows are sorted by the raw output of PCG64 (O'Neill, 2014), whose seed are the first 8 bytes of
    the SHA-256 of ``split/SEED``. With the seed itself the stream would be that of
    ``numpy.random.default_rng(SEED)``, by which people make their data: then the data would decide
    which of its rows are held out.

    Args:
        seed: The seed of the split.
        count: The number of rows.
    """
    digest = hashlib.sha256(f"split/{seed}".encode()).digest()
    raw = np.random.PCG64(int.from_bytes(digest[:8], "little")).random_raw(count)
    return np.argsort(raw, kind="stable")
