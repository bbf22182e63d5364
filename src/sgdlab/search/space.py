"""Search spaces: what of an optimizer is tuned, between which bounds, and what is fixed.

In the words of the tuning playbook (Godbole, Dahl, Gilmer, Shallue & Nado, 2023): the dimensions
are *nuisance* parameters, tuned anew for everything that is compared; a plain value is a *fixed*
one; what is compared, the optimizer above all, is *scientific* and stands in no space.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sgdlab.checks import is_number, require_flag, require_one_of
from sgdlab.errors import InputError, suggest

Value = float | int | str | bool | list[Any] | None

KEYS = ("low", "high", "scale", "integer", "choices")


@dataclass(frozen=True)
class Dimension:
    """One setting of an optimizer that is searched.

    Args:
        key: Key of the config, such as ``optimizer.weight_decay``.
        low: Smallest value.
        high: Largest value.
        log: Uniform in the logarithm rather than in the value.
        choices: Or a list of values, each as likely as the others.
        integer: Whole numbers from ``low`` to ``high``.
    """

    key: str
    low: float = math.nan
    high: float = math.nan
    log: bool = False
    choices: tuple[Value, ...] = ()
    integer: bool = False

    def at(self, u: float) -> Value:
        """Return the value at quantile ``u`` in [0, 1], rounded to 4 significant digits.

        ``low * (high / low)^u`` on a logarithmic scale, ``low + u (high - low)`` on a linear one.
        For whole numbers the range is half a unit wider on either side and the value rounded, so
        that on a linear scale each is as likely as the others, ``low`` and ``high`` included.
        """
        if self.choices:
            return self.choices[min(int(u * len(self.choices)), len(self.choices) - 1)]
        margin = 0.5 if self.integer else 0.0
        return self.rounded(self._between(u, self.low - margin, self.high + margin))

    def rounded(self, value: float) -> float | int:
        """Return the number that is run for ``value``: in the bounds, with 4 significant digits.

        A bound with more digits stands as it is; whole numbers keep all of theirs.
        """
        inside = min(max(value, self.low), self.high)
        if self.integer:
            return round(inside)
        return min(max(float(f"{inside:.4g}"), self.low), self.high)

    def spread(self, points: int) -> list[Value]:
        """Return ``points`` different values, evenly spaced on the scale of the dimension.

        The first is exactly ``low``, the last ``high``; one point is the middle (on a logarithmic
        scale the geometric mean of the bounds), of choices the first.

        Args:
            points: How many values, at most `size`.
        """
        steps = [i / (points - 1) for i in range(points)] if points > 1 else [0.5]
        if self.choices:
            last = len(self.choices) - 1
            return [self.choices[round(u * last) if points > 1 else 0] for u in steps]
        on_scale = [self._between(u, self.low, self.high) for u in steps]
        exact = [min(max(value, self.low), self.high) for value in on_scale]
        if self.integer:
            return list(_apart([round(value) for value in exact], int(self.low), int(self.high)))
        shown = [self.rounded(value) for value in exact]
        if points > 1:
            shown[0], shown[-1] = self.low, self.high
        return list(shown if len(set(shown)) == points else exact)

    def position(self, value: float) -> float:
        """Return where in the range a value lies, on the scale of the dimension: 0 low, 1 high."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    @property
    def size(self) -> float:
        """How many values there are: infinitely many of a real number."""
        if self.choices:
            return len(self.choices)
        return self.high - self.low + 1 if self.integer else math.inf

    def entry(self) -> dict[str, Any]:
        """Return the dimension as YAML writes it: what `space_of` reads."""
        if self.choices:
            return {"choices": list(self.choices)}
        scale = "log" if self.log else "linear"
        if self.integer:
            return {"low": int(self.low), "high": int(self.high), "scale": scale, "integer": True}
        return {"low": self.low, "high": self.high, "scale": scale}

    def _between(self, u: float, low: float, high: float) -> float:
        if u >= 1:  # low + (high - low) loses a high that is far smaller than low
            return high
        return low * (high / low) ** u if self.log else low + u * (high - low)


def _apart(numbers: list[int], low: int, high: int) -> list[int]:
    """Push whole numbers that rounding made equal apart, inside the bounds."""
    for i, _ in enumerate(numbers):
        numbers[i] = max(numbers[i], numbers[i - 1] + 1 if i else low)
    for i in reversed(range(len(numbers))):
        numbers[i] = min(numbers[i], numbers[i + 1] - 1 if i + 1 < len(numbers) else high)
    return numbers


@dataclass(frozen=True)
class Space:
    """What of one contender is tuned, and what is set for all of its trials.

    Args:
        dimensions: The settings that are searched.
        fixed: Key of the config to the value that every trial has.
    """

    dimensions: list[Dimension]
    fixed: dict[str, Value] = field(default_factory=dict)


def space_of(section: Mapping[str, Any], where: str) -> Space:
    """Return a search space from what YAML gives, nested like the config.

    ``{low: 1.0e-4, high: 0.1, scale: log}`` is a dimension (``scale: linear`` unless given,
    ``integer: true`` for whole numbers), ``{choices: [5, 10]}`` is one, too, and a plain value or
    list is fixed. A dimension may have a section below it: ``schedule: {choices: [cosine, wsd],
    warmup_epochs: {low: 0, high: 5}}``. Keys may be dotted, too: ``schedule.warmup_epochs: 1`` is
    how to fix what belongs to a dimension.

    Args:
        section: The content of ``search/NAME.yaml``.
        where: The name of the section in messages, such as ``search.adamw``.

    Raises:
        InputError: A bound is missing, not a number, or in the wrong order; a key is unknown or
            stands there twice.
    """
    if not isinstance(section, Mapping):
        raise InputError(f"{where}={section}: write lr: {{low: …, high: …, scale: log}}")
    space = Space([])
    taken: set[str] = set()
    for key, found in _entries(section, "", where):
        if key in taken:
            raise InputError(f"{where}.{key}: stands there twice; keep one")
        taken.add(key)
        if isinstance(found, Dimension):
            space.dimensions.append(found)
        else:
            space.fixed[key] = found
    return space


def _entries(
    section: Mapping[str, Any], prefix: str, where: str
) -> Iterator[tuple[str, Dimension | Value]]:
    for name, entry in section.items():
        key = f"{prefix}{name}"
        if not isinstance(entry, Mapping):
            yield key, _fixed(entry, f"{where}.{key}")
            continue
        plain = {k: v for k, v in entry.items() if not isinstance(v, Mapping)}
        below = {k: v for k, v in entry.items() if isinstance(v, Mapping)}
        if set(KEYS) & set(plain):
            yield key, _dimension(key, plain, f"{where}.{key}")
            yield from _entries(below, f"{key}.", where)
        else:
            yield from _entries(entry, f"{key}.", where)


def _fixed(value: Any, where: str) -> Value:
    if isinstance(value, list | tuple):
        return [_fixed(element, where) for element in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise InputError(f"{where}={value}: must be a number, text, true, false, null or a list")


def _dimension(key: str, entry: Mapping[str, Any], where: str) -> Dimension:
    if unknown := sorted(str(name) for name in set(entry) - set(KEYS)):
        raise InputError(f"{where}.{unknown[0]}: {suggest(unknown[0], KEYS)}")
    # Choices count before bounds, which they may have been merged with.
    if entry.get("choices") is not None or set(entry) == {"choices"}:
        return Dimension(key, choices=_choices(entry["choices"], f"{where}.choices"))
    scale, integer = entry.get("scale", "linear"), entry.get("integer", False)
    low, high = (_bound(entry.get(name), f"{where}.{name}") for name in ("low", "high"))
    require_one_of(f"{where}.scale", scale, ("log", "linear"))
    require_flag(f"{where}.integer", integer)
    if not low < high:
        raise InputError(f"{where}: low={entry['low']} must be below high={entry['high']}")
    if scale == "log" and low <= 0:
        raise InputError(f"{where}.low={entry['low']}: a logarithmic scale needs a positive bound")
    if not math.isfinite(high / low if scale == "log" else high - low):
        raise InputError(f"{where}: low={entry['low']} and high={entry['high']} are too far apart")
    for name, bound in (("low", low), ("high", high)):
        if integer and not (bound.is_integer() and abs(bound) <= 2**53):
            raise InputError(f"{where}.{name}={entry[name]}: must be a whole number (integer=true)")
    return Dimension(key, low, high, scale == "log", integer=integer)


def _bound(value: Any, where: str) -> float:
    if not is_number(value):
        raise InputError(f"{where}={value}: must be a number")
    return float(value)


def _choices(choices: Any, where: str) -> tuple[Value, ...]:
    if not isinstance(choices, Sequence) or isinstance(choices, str) or not choices:
        raise InputError(f"{where}={choices}: must be a list of values")
    values = tuple(_fixed(choice, where) for choice in choices)
    for i, value in enumerate(values):
        if value in values[:i]:
            raise InputError(f"{where}={choices}: names {value} twice")
    return values
