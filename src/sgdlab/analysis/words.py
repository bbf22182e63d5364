"""Numbers as people read them. Files keep every digit; pages show what the data can carry."""

import math
from collections.abc import Sequence

from sgdlab.terminal import numbers
from sgdlab.terminal.numbers import NOTHING
from sgdlab.terminal.numbers import setting as setting


def number(value: float | None, digits: int = 4) -> str:
    """Return a number for a page: with a true minus, and a dash where it is none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    shown = numbers.number(value, digits)
    return f"−{shown[1:]}" if shown.startswith("-") else shown


def metric(value: float | None, name: str) -> str:
    """Return a metric: accuracy in percent, others with four significant digits."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return numbers.metric_text(name, float(value)) if name == "accuracy" else number(value)


def difference(value: float | None, name: str, unit: bool = True) -> str:
    """Return a signed difference of a metric: accuracy in percentage points."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if name == "accuracy":
        shown = f"{100 * value:+.2f}"
        if float(shown) == 0:
            shown = "0.00"
        return shown.replace("-", "−") + (" points" if unit else "")
    return ("+" if value > 0 else "") + number(value, 3)


def plain(value: float | None, name: str) -> str:
    """Return a metric without its unit, beside one that has it: ``97.31``."""
    return metric(value, name).removesuffix(" %")


def p_value(value: float | None) -> str:
    """Return a p-value: ``0.031``, ``< 0.001``; at 0.05 with as many digits as tell its side."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value < 0.001:
        return "< 0.001"
    digits = 3
    while digits < 8 and value != 0.05 and round(value, digits) == 0.05:
        digits += 1
    return f"{value:.{digits}f}"


def seconds(value: float | None) -> str:
    """Return a time in seconds with three significant digits."""
    return NOTHING if value is None or not math.isfinite(value) else f"{number(value, 3)} s"


def memory(value: float | None) -> str:
    """Return bytes in decimal units: ``38.5 kB``."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value < 1000:
        return f"{value:.0f} B"
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.5 or unit == "GB":
            break
    return f"{number(value, 3)} {unit}"  # pyright: ignore[reportPossiblyUnboundVariable]


def count(how_many: int, what: str) -> str:
    """Return ``1 seed``, ``3 seeds`` or ``2 searches``."""
    ending = "" if how_many == 1 else "es" if what.endswith(("s", "x", "ch", "sh")) else "s"
    return f"{how_many:,} {what}{ending}"


def listing(items: Sequence[str], last: str = "and") -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``; ``last`` is the word before the last one."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"
