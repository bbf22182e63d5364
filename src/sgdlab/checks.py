"""Whether a setting is what it must be; the refusal is one line that says what would be right.

At the bottom, so that what reads results can use it, too: it imports neither torch nor Hydra.
Keys are named as the command line names them, their section included.
"""

import contextlib
import importlib
import json
import math
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TypeGuard

from sgdlab.errors import InputError, suggest


def is_number(value: object) -> TypeGuard[float]:
    """Say whether ``value`` is a finite number; text, true and false are none."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= sys.float_info.max  # math.isfinite raises for larger integers


def is_whole(value: object, low: int = 1) -> TypeGuard[int]:
    """Say whether ``value`` is an integer from ``low``; true, false and 1.0 are none."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


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
    low: float = 0,
    high: float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
    shown: object = None,
) -> float:
    """Return a number in the range of `lies_in`, and refuse all else.

    Args:
        key: The setting.
        value: To check; the command line may have given text.
        low: Smallest value; minus infinity for any finite number.
        high: Largest value.
        open_low: ``low`` itself is refused.
        open_high: ``high`` itself is refused.
        shown: What the message shows instead of ``value``: the list that it is an element of.

    Raises:
        InputError: ``optimizer.momentum=1.5: must be a number from 0 to below 1``.
    """
    if lies_in(value, low, high, open_low=open_low, open_high=open_high):
        return float(value)
    right = "a finite number"
    if math.isfinite(low):
        right = f"a number {range_text(low, high, open_low=open_low, open_high=open_high)}"
    raise InputError(f"{key}={value if shown is None else shown}: must be {right}")


def require_numbers(
    key: str, values: object, count: int | None, low: float = 0, below: float = math.inf
) -> list[float]:
    """Return a list of ``count`` finite numbers from ``low`` to below ``below``; refuse all else.

    Args:
        key: The setting.
        values: To check.
        count: How many there must be; None for at least one.
        low: Smallest value; minus infinity for any finite number.
        below: Smallest value that is too large.

    Raises:
        InputError: ``optimizer.betas=[0.9, 1.5]: must be 2 numbers from 0 to below 1``.
    """
    given = list(values) if isinstance(values, Sequence) and not isinstance(values, str) else []
    inside = [float(value) for value in given if lies_in(value, low, below, open_high=True)]
    if not given or len(inside) < len(given) or len(given) != (count or len(given)):
        size = "a list of at least one number" if count is None else f"{count} numbers"
        right = f" {range_text(low, below, open_high=True)}" if math.isfinite(low) else ""
        raise InputError(f"{key}={given or values}: must be {size}{right}")
    return inside


def require_whole(
    key: str, value: object, low: int = 1, *, of: str = "", as_float: bool = False
) -> int:
    """Return a whole number from ``low``, and refuse all else.

    Args:
        key: The setting.
        value: To check.
        low: Smallest value.
        of: What it counts, as the message says it: ``of epochs``.
        as_float: A whole number that is written as a float, such as 1e3, will do.

    Raises:
        InputError: ``average.every=0: must be a whole number of epochs from 1``.
    """
    number = int(value) if as_float and isinstance(value, float) and value.is_integer() else value
    if not is_whole(number, low):
        raise InputError(f"{key}={value}: must be a whole number{of and f' {of}'} from {low}")
    return number


def require_flag(key: str, value: object) -> None:
    """Refuse what is neither true nor false.

    Raises:
        InputError: ``optimizer.nesterov=1: must be true or false``.
    """
    if not isinstance(value, bool):
        raise InputError(f"{key}={value}: must be true or false")


def require_one_of(key: str, value: object, valid: Iterable[str]) -> str:
    """Return one of the names in ``valid``, and refuse all else.

    Raises:
        InputError: ``model.activation=rela: did you mean relu?``
    """
    names = list(valid)
    if isinstance(value, str) and value in names:
        return value
    raise InputError(f"{key}={value}: {suggest(str(value), names)}")


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


def pip_install(extra: str) -> str:
    """Return the command that installs an extra of sgdlab, from where sgdlab itself came from.

    Args:
        extra: The extra, as ``pyproject.toml`` calls it.
    """
    from importlib import metadata  # slow to import, and seldom needed
    from urllib import parse, request

    with contextlib.suppress(metadata.PackageNotFoundError, ValueError):
        files = metadata.distribution("sgdlab").files or ()
        about = [file for file in files if file.name == "direct_url.json"]
        origin = json.loads(about[0].read_text(encoding="utf-8")) if about else {}
        if (folder := origin.get("dir_info")) is not None:
            clone = request.url2pathname(parse.urlsplit(origin["url"]).path)
            editable = "--editable " if folder.get("editable") else ""
            return f"pip install {editable}{shlex.quote(f'{clone}[{extra}]')}"
    return f"pip install '.[{extra}]' in the clone of sgdlab"


def require_package(name: str, extra: str, what: str) -> Any:
    """Return a package of an extra, or say how it is installed.

    A folder of that name in the working directory, which Python imports as an empty package, is
    not it.

    Args:
        name: The package, or a module of it.
        extra: The extra of sgdlab that installs it.
        what: What asks for it, such as ``dataset=huggingface``.

    Raises:
        InputError: It is not installed.
    """
    package = name.partition(".")[0]
    try:
        found = importlib.import_module(name)
    except ImportError as error:
        missing: Exception | None = error
    else:
        missing = None
        if getattr(found, "__file__", None) is not None:
            return found
    raise InputError(f"{what}: needs the package {package}: {pip_install(extra)}") from missing
