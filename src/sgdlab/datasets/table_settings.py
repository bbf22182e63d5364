"""Settings of a table as they are typed: characters by name, columns, lists for the shell."""

import re
import shlex
from collections.abc import Mapping, Sequence

from sgdlab.checks import require_one_of
from sgdlab.errors import InputError, suggest

CHARACTERS = {
    "comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "point": ".", "space": " ",
    "apostrophe": "'",
}  # fmt: skip
"""Names of characters that the command line would need quotes for."""
_SIMPLE = re.compile(r"[\w-]+")


def character(key: str, value: object) -> str | None:
    """Return a character that a setting names: ``comma`` or ``,``; None for None.

    Raises:
        InputError: It is neither one character nor the name of one.
    """
    if value is None or (isinstance(value, str) and len(value) == 1):
        return value
    return CHARACTERS[require_one_of(key, value, CHARACTERS)]


def typed(key: str, values: Sequence[str] | Mapping[str, str]) -> str:
    """Return a setting of the table as one types it, quoted for the shell where it must be."""
    if isinstance(values, Mapping):
        return shlex.quote(f"dataset.{key}={{{','.join(f'{k}:{v}' for k, v in values.items())}}}")
    words = [value if _SIMPLE.fullmatch(value) else f'"{value}"' for value in values]
    text = f"dataset.{key}=[{','.join(words)}]"
    return text if all(map(_SIMPLE.fullmatch, values)) else shlex.quote(text)


def column(names: list[str], name: object, key: str) -> str:
    """Return the name of a column that a setting gives.

    Raises:
        InputError: There is none of this name; gives the nearest.
    """
    if str(name) in names:
        return str(name)
    raise InputError(f"dataset.{key}={name}: no such column; {suggest(str(name), names)}")
