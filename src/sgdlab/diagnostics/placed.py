"""Putting other values into a model's parameters for a while."""

import contextlib
from collections.abc import Iterator, Sequence

from torch import Tensor


@contextlib.contextmanager
def placed(parameters: Sequence[Tensor], values: Sequence[Tensor]) -> Iterator[None]:
    """Let ``parameters`` hold ``values``, without a copy; inside, change neither."""
    kept = [p.data for p in parameters]
    try:
        for p, value in zip(parameters, values, strict=True):
            p.data = value
        yield
    finally:
        for p, own in zip(parameters, kept, strict=True):
            p.data = own
