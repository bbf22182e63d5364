"""Saying nothing to a terminal: notices are kept for who calls sgdlab from Python."""

import contextlib
from collections.abc import Iterator

_kept: list[list[str]] = []


def is_quiet() -> bool:
    """Say whether nothing is to be printed."""
    return bool(_kept)


def keep(notice: str) -> None:
    """Keep a notice that is not printed."""
    _kept[-1].append(notice)


@contextlib.contextmanager
def quiet() -> Iterator[list[str]]:
    """Print nothing in the block; give the list that its notices come into."""
    notices: list[str] = []
    _kept.append(notices)
    try:
        yield notices
    finally:
        _kept.remove(notices)
