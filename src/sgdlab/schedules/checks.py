"""What settings of a schedule must be; each refusal is one line that says what is right."""

import math
from collections.abc import Sequence

from sgdlab import checks
from sgdlab.errors import InputError, suggest


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
    key = f"schedule.{key}"
    checks.require_number(
        key, value, low, high, open_low=open_low, open_high=open_high, shown=shown
    )


def require_whole(key: str, value: object) -> None:
    """Refuse what is not a whole number from 0.

    Raises:
        InputError: Says the key, its value and what would be right.
    """
    require_number(key, value, value, low=0)
    if checks.is_number(value) and value != int(value):
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
        raise InputError(f"schedule.{key}={value}: {suggest(str(value), valid)}")
