"""What a user did wrong, said in one line."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Input that cannot be used: the text says what is wrong, where, and what would be right.

    The command line prints the text as one line on stderr and exits with 2.
    """


def nearest(name: str, valid: Iterable[str], count: int = 3) -> list[str]:
    """Return up to ``count`` of ``valid`` that resemble ``name``, best first."""
    return difflib.get_close_matches(name, list(valid), n=count, cutoff=0.6)


def suggest(name: str, valid: Iterable[str]) -> str:
    """Say what ``name`` may have meant: the nearest valid names, or all of few.

    ``suggest("nestrov", ["sgd", "nesterov"])`` is ``"did you mean nesterov?"``.
    """
    valid = sorted(valid)
    close = nearest(name, valid)
    if close and len(valid) > 3:
        return f"did you mean {' or '.join(close)}?"
    shown = valid if len(valid) <= 24 else [*valid[:24], "…"]
    return f"valid: {', '.join(shown)}"


def one_line(error: BaseException) -> str:
    """Return the text of an error in one line."""
    return " ".join(str(error).split())


def reason_of(error: BaseException) -> str:
    """Return the ``reason`` of a failed run: the kind of the error, and its text in one line."""
    text = one_line(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
