"""What `torch.func` cannot map over runs, in words."""

import contextlib
from collections.abc import Iterator

_WORDS = {
    "randomness": "it draws random numbers otherwise than by dropout",
    ".item()": "its forward pass depends on values",
    "data-dependent control flow": "its forward pass depends on values",
    "dynamic": "its shapes depend on values",
}
"""What errors of `vmap` that hold a phrase mean."""


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """Say what `torch.func` cannot map over runs, in a few words."""
    try:
        yield
    except RuntimeError as error:
        known = next((words for phrase, words in _WORDS.items() if phrase in str(error)), None)
        if known is None:
            raise
        raise RuntimeError(known) from error
