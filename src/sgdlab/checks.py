"""Whether a setting is a number, and in its range; the refusal is one line that says what is right.

At the bottom, so that what reads results can use it, too: it imports neither torch nor Hydra.
"""

import math
import re
import sys
from typing import TypeGuard

from sgdlab.errors import InputError


def is_number(value: object) -> TypeGuard[float]:
    """Say whether ``value`` is a finite number; text, true and false are none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= sys.float_info.max  # math.isfinite raises for larger integers


def lies_in(
    value: object,
    low: float,
    high: float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> TypeGuard[float]:
    """Say whether ``value`` is a finite number from ``low`` to ``high``.

    Args:
        value: To check; the command line may have given text.
        low: Smallest value.
        high: Largest value.
        open_low: ``low`` itself is outside.
        open_high: ``high`` itself is outside.
    """
    if not is_number(value):
        return False
    above = value > low if open_low else value >= low
    return above and (value < high if open_high else value <= high)


def range_text(
    low: float, high: float = math.inf, *, open_low: bool = False, open_high: bool = False
) -> str:
    """Return a range in words: ``from 0``, ``above 0 to 1``, ``from 0 to below 1``."""
    end = f" to {'below ' if open_high else ''}{high:g}" if math.isfinite(high) else ""
    return f"{'above' if open_low else 'from'} {low:g}{end}"


def require_number(
    key: str,
    value: object,
    low: float,
    high: float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
    shown: object = None,
) -> None:
    """Refuse what is not in the range of `lies_in`.

    Args:
        key: The setting as the command line names it, section included.
        value: To check.
        low: Smallest value.
        high: Largest value.
        open_low: ``low`` itself is refused.
        open_high: ``high`` itself is refused.
        shown: What the message shows instead of ``value``: the list that it is an element of.

    Raises:
        InputError: ``optimizer.momentum=1.5: must be a number from 0 to below 1``.
    """
    if not lies_in(value, low, high, open_low=open_low, open_high=open_high):
        right = range_text(low, high, open_low=open_low, open_high=open_high)
        raise InputError(f"{key}={value if shown is None else shown}: must be a number {right}")


_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def bytes_of(key: str, value: object) -> int:
    """Return a number of bytes, given as such or as text with a unit: ``512M``, ``4G``, ``4GiB``.

    Raises:
        InputError: It is neither.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", str(value), re.IGNORECASE)
    if isinstance(value, bool) or match is None or not float(match[1]):
        raise InputError(f"{key}={value}: must be bytes, such as 4G or 512M, or null")
    return int(float(match[1]) * _UNITS[match[2].upper()])
