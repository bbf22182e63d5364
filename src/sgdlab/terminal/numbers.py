"""A number as people read it, wherever one is shown; files keep every digit."""

import math

NOTHING = "–"
"""What stands for a number that was not measured."""


def number(value: float | str | None, digits: int = 4) -> str:
    """Return ``0.03``, ``1,240``, ``1.2e-7``, ``nan``; a dash for None, and text as it is.

    Args:
        value: The number, or the cell of a table.
        digits: The significant digits; from 1,000 to 10 million all digits before the point.
    """
    if value is None:
        return NOTHING
    if isinstance(value, bool | str) or not math.isfinite(value):
        return str(value)
    whole = float(value).is_integer() and abs(value) < 1e15
    if whole or 1000 <= abs(value) < 1e7:
        return f"{value + 0:,.0f}"  # no -0
    return f"{value:.{digits}g}".replace("e-0", "e-").replace("e+0", "e+")


def metric_text(name: str | None, value: float | str | None) -> str:
    """Return a metric: accuracy in percent, others with four digits."""
    if name == "accuracy" and isinstance(value, float):
        return f"{100 * value:.2f} %"
    return number(value)


def setting(value: object) -> str:
    """Return the value of a setting as it is typed on the command line, rounded."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
