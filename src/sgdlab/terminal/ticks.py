"""Where an axis has its numbers: steps of 1, 2 or 5 times a power of ten; powers of ten on logs."""

import math

_MOST = 6


def ticks(low: float, high: float, log: bool = False) -> list[tuple[float, str]]:
    """Return the places of round numbers on an axis, with their text, at most seven.

    Args:
        low: The low end, above which the axis lies; the logarithm of the value on a log axis.
        high: The high end.
        log: Whether the axis is logarithmic: then powers of ten, or 1, 2 and 5 times those where
            fewer than two lie on it.
    """
    if not log:
        return [(value, _text(value)) for value in _round(low, high)]
    powers = list(range(math.ceil(low), math.floor(high) + 1))
    if len(powers) >= 2:
        every = -(-len(powers) // _MOST)
        chosen = [float(p) for p in powers if p % every == 0]
        return [(p, _text(10.0**p)) for p in chosen]
    values = [
        digit * 10.0**power
        for power in range(math.floor(low) - 1, math.ceil(high) + 1)
        for digit in (1, 2, 5)
        if low <= math.log10(digit * 10.0**power) <= high
    ]
    if len(values) < 2:
        values = [value for value in _round(10**low, 10**high) if value > 0]
    return [(math.log10(value), _text(value)) for value in values]


def _round(low: float, high: float) -> list[float]:
    raw = (high - low) / _MOST
    power = math.floor(math.log10(raw))
    step = next(s for s in (1, 2, 5, 10) if s * 10.0**power >= raw * (1 - 1e-9)) * 10.0**power
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(k * step, max(0, 1 - power)) + 0.0 for k in range(first, last + 1)]


def _text(value: float) -> str:
    return f"{value:.6g}".replace("e-0", "e-").replace("e+0", "e+")
