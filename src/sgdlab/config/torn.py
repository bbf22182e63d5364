"""Settings that the shell has taken apart before sgdlab saw them, and words that are no setting."""

import itertools
import re
from collections.abc import Sequence

from sgdlab.errors import InputError
from sgdlab.visible import shell_word

OPEN_KEYS = ("search.", "axes=", "axes.")
"""How settings of a comparison begin that may name keys which the config does not have."""

_PARTNER = {"[": "]", "{": "}"}
_PAIR = re.compile(r"[A-Za-z_][\w./]*:")


def refuse_torn(words: Sequence[str], of_pairs: tuple[str, ...] = ()) -> None:
    """Refuse a setting whose brackets the shell took apart: at blanks, or as bash does braces.

    Args:
        words: The words of the command line that are no flags.
        of_pairs: How settings begin that take names with values.

    Raises:
        InputError: Has what was typed, and how it is quoted.
    """
    for index, word in enumerate(words):
        key, equals, value = word.partition("=")
        again = _of_key(f"{key}=", words[index + 1 :])
        parts = [value, *(other[len(key) + 1 :] for other in again)]
        is_pairs = bool(again) and word.startswith(of_pairs) and all(map(_PAIR.match, parts))
        if not equals or not (_open(word) or is_pairs):
            continue
        if again:  # bash repeats what stands before a brace
            typed, whole = " ".join([word, *again]), f"{key}={{{','.join(parts)}}}"
        else:
            typed, whole = _until_closed(word, words[index + 1 :])
        if left := _open(whole):
            raise InputError(f"{typed}: {left[0]} has no partner; quote the whole, '{key}=…'")
        line = "the shell took the brackets apart; quote it"
        raise InputError(f"{typed}: {line}: {shell_word(whole)}")


def unreadable(word: str) -> str:
    """Return the line of a word that is no setting, or whose value cannot be read."""
    if "=" not in word.strip("="):
        return f"{word}: expected KEY=VALUE"
    return f"{word}: cannot be read as KEY=VALUE; put quotes around special characters"


def _open(text: str) -> list[str]:
    """Return the brackets that are opened and not closed, outside of quotes."""
    found: list[str] = []
    for plain in re.sub(r"\\.|'[^']*'|\"[^\"]*\"", "", text):
        if plain in _PARTNER:
            found.append(plain)
        elif found and plain == _PARTNER[found[-1]]:
            found.pop()
    return found


def _of_key(prefix: str, words: Sequence[str]) -> list[str]:
    return list(itertools.takewhile(lambda word: word.startswith(prefix), words))


def _until_closed(word: str, after: Sequence[str]) -> tuple[str, str]:
    """Return a word with those after it, up to the one that closes its brackets, twice.

    Where none closes them, the word alone.
    """
    for count in range(1, len(after) + 1):
        whole = " ".join([word, *after[:count]])
        if not _open(whole):
            return whole, whole
    return word, word
