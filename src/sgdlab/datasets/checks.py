"""Checks of the settings of test problems, each refused in one line."""

from collections.abc import Sequence

from sgdlab.checks import is_number
from sgdlab.errors import InputError, suggest


def positive(key: str, value: object) -> float:
    """Return a finite number above 0.

    Raises:
        InputError: It is none.
    """
    if not is_number(value) or value <= 0:
        raise InputError(f"dataset.{key}={value}: must be a positive number")
    return float(value)


def not_negative(key: str, value: object) -> float:
    """Return a finite number from 0.

    Raises:
        InputError: It is none.
    """
    if not is_number(value) or value < 0:
        raise InputError(f"dataset.{key}={value}: must be a number from 0")
    return float(value)


def finite(key: str, value: object) -> float:
    """Return a finite number.

    Raises:
        InputError: It is none.
    """
    if not is_number(value):
        raise InputError(f"dataset.{key}={value}: must be a finite number")
    return float(value)


def numbers(key: str, values: object, count: int | None = None) -> list[float]:
    """Return a list of finite numbers, of ``count`` or of at least one.

    Raises:
        InputError: It is none.
    """
    size = "at least one number" if count is None else f"{count} numbers"
    given = values if isinstance(values, Sequence) and not isinstance(values, str) else ()
    found = [float(value) for value in given if is_number(value)]
    if not found or len(found) < len(given) or len(found) != (count or len(found)):
        raise InputError(f"dataset.{key}={values}: must be a list of {size}")
    return found


def whole(key: str, value: object, at_least: int = 1) -> int:
    """Return a whole number from ``at_least``.

    Raises:
        InputError: It is none.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < at_least:
        raise InputError(f"dataset.{key}={value}: must be a whole number from {at_least}")
    return value


def one_of(key: str, value: object, valid: Sequence[str]) -> str:
    """Return one of the names in ``valid``.

    Raises:
        InputError: It is none; the nearest are offered.
    """
    if not isinstance(value, str) or value not in valid:
        raise InputError(f"dataset.{key}={value}: {suggest(str(value), valid)}")
    return value
