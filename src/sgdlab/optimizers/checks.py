"""Refusing an optimizer's impossible settings in one line."""

import math

from sgdlab import checks
from sgdlab.errors import InputError


def require_number(
    key: str,
    value: object,
    *,
    low: float = 0.0,
    below: float = math.inf,
    open_low: bool = False,
) -> None:
    """Refuse what is not a finite number from ``low`` (beyond it if ``open_low``) to ``below``.

    Args:
        key: Name in the ``optimizer`` section.
        value: To check; the command line may have given text.
        low: Smallest value.
        below: Smallest value that is too large.
        open_low: ``low`` itself is refused.

    Raises:
        InputError: ``optimizer.momentum=1.5: must be a number from 0 to below 1``.
    """
    key = f"optimizer.{key}"
    checks.require_number(key, value, low, below, open_low=open_low, open_high=True)


def require_numbers(
    key: str, values: object, count: int, *, low: float = 0.0, below: float = math.inf
) -> None:
    """Refuse what is not a list of ``count`` finite numbers from ``low`` to below ``below``.

    Raises:
        InputError: ``optimizer.betas=[0.9, 1.5]: must be 2 numbers from 0 to below 1``.
    """
    given = list(values) if isinstance(values, list | tuple) else []
    inside = [checks.lies_in(value, low, below, open_high=True) for value in given]
    if len(given) != count or not all(inside):
        right = f" {checks.range_text(low, below, open_high=True)}" if math.isfinite(low) else ""
        raise InputError(f"optimizer.{key}={given or values}: must be {count} numbers{right}")


def require_flag(key: str, value: object) -> None:
    """Refuse what is neither true nor false.

    Raises:
        InputError: ``optimizer.nesterov=1: must be true or false``.
    """
    if not isinstance(value, bool):
        raise InputError(f"optimizer.{key}={value}: must be true or false")
