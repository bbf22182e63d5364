"""Numbers as a finding says them."""

from sgdlab.terminal import numbers


def number(value: float, digits: int = 3) -> str:
    """Return a number with the three digits that the evidence of a finding carries."""
    return numbers.number(float(value), digits)


def percent(share: float) -> str:
    """Return a share in percent, without decimals unless it is small."""
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.2g} %"


def times(factor: float) -> str:
    """Return how many times: ``1.6 times``, ``390 times``."""
    return f"{number(float(f'{factor:.2g}'))} times"


def steps(count: int) -> str:
    """Return ``1 step`` or ``300 steps``."""
    return f"{count:,} step" + ("" if count == 1 else "s")
