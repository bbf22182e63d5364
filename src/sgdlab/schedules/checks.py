"""What settings of a schedule must be; each refusal is one line that says what is right."""

import math
from collections.abc import Sequence
from typing import TypeGuard

from sgdlab.errors import InputError, offer


def require_number(
    key: str,
    value: object,
    shown: object,
    *,
    low: float,
    high: float = math.inf,
    open_low: bool = False,
    open_high: bool = False,
) -> None:
    """Refuse what is not a finite number from ``low`` to ``high``, ends included unless open.

    Args:
        key: Name in the ``schedule`` section.
        value: To check; the command line may have given text.
        shown: What the message shows: the list, when ``value`` is an element of one.
        low: Smallest value.
        high: Largest value.
        open_low: ``low`` itself is refused.
        open_high: ``high`` itself is refused.

    Raises:
        InputError: Says the key, its value and what would be right.
    """
    if _is_number(value):
        above = value > low if open_low else value >= low
        below = value < high if open_high else value <= high
        if above and below:
            return
    right = f"above {low:g}" if open_low else f"from {low:g}"
    limit = f" to {'below ' if open_high else ''}{high:g}" if math.isfinite(high) else ""
    raise InputError(f"schedule.{key}={shown}: must be a number {right}{limit}")


def require_whole(key: str, value: object) -> None:
    """Refuse what is not a whole number from 0.

    Raises:
        InputError: Says the key, its value and what would be right.
    """
    require_number(key, value, value, low=0)
    if _is_number(value) and value != int(value):
        raise InputError(f"schedule.{key}={value}: must be a whole number")


def require_flag(key: str, value: object) -> None:
    """Refuse what is neither true nor false.

    Raises:
        InputError: Says the key and its value.
    """
    if not isinstance(value, bool):
        raise InputError(f"schedule.{key}={value}: must be true or false")


def require_one_of(key: str, value: object, valid: Sequence[str]) -> None:
    """Refuse what is not one of ``valid``.

    Raises:
        InputError: Says the key, its value and the nearest valid ones.
    """
    if value not in valid:
        raise InputError(f"schedule.{key}={value}: {offer(str(value), valid)}")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
