"""Numbers as a finding says them."""

import math


def number(value: float, digits: int = 3) -> str:
    """Return a number as people read it: ``0.012``, ``1,240``, ``3.1e-07``, ``nan``."""
    if not math.isfinite(value):
        return str(float(value))
    if value == 0:
        return "0"
    if abs(value) >= 1000 and abs(value) < 1e7:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}".replace("e-0", "e-").replace("e+0", "e+").replace("e+", "e")


def percent(share: float) -> str:
    """Return a share in percent, without decimals unless it is small."""
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.2g} %"


def times(factor: float) -> str:
    """Return how many times: ``1.6 times``, ``390 times``."""
    return f"{number(float(f'{factor:.2g}'))} times"


def steps(count: int) -> str:
    """Return ``1 step`` or ``300 steps``."""
    return f"{count:,} step" + ("" if count == 1 else "s")
