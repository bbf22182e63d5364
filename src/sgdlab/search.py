"""Search spaces and the trials drawn from them. SciPy only, no torch."""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import qmc

from sgdlab.checks import is_number
from sgdlab.errors import InputError, offer

Value = float | int | str | bool | None


@dataclass(frozen=True)
class Dimension:
    """One setting of an optimizer that is searched.

    Args:
        key: Key of the config, such as ``optimizer.weight_decay``.
        low: Smallest value.
        high: Largest value.
        log: Uniform in the logarithm rather than in the value.
        choices: Or a list of values, each as likely as the others.
    """

    key: str
    low: float = math.nan
    high: float = math.nan
    log: bool = False
    choices: tuple[Value, ...] = ()

    def at(self, u: float) -> Value:
        """Return the value at quantile ``u`` in [0, 1), rounded to 4 significant digits.

        ``low * (high / low)^u`` on a logarithmic scale, ``low + u (high - low)`` on a linear one.
        """
        if self.choices:
            return self.choices[min(int(u * len(self.choices)), len(self.choices) - 1)]
        if self.log:
            value = self.low * (self.high / self.low) ** u
        else:
            value = self.low + u * (self.high - self.low)
        return float(f"{min(max(value, self.low), self.high):.4g}")


def space_of(section: Mapping[str, Any], where: str) -> list[Dimension]:
    """Return the dimensions of a search space as YAML gives it, nested like the config.

    Raises:
        InputError: A bound is missing, not a number, or in the wrong order.
    """
    return list(_dimensions(section, "", where))


def _dimensions(section: Mapping[str, Any], prefix: str, where: str) -> Iterator[Dimension]:
    for name, entry in section.items():
        key = f"{prefix}{name}"
        if not isinstance(entry, Mapping):
            raise InputError(f"{where}.{key}={entry}: write {{low: …, high: …, scale: log}}")
        if not {"low", "high", "choices", "scale"} & set(entry):
            yield from _dimensions(entry, f"{key}.", where)
        else:
            yield _dimension(key, entry, f"{where}.{key}")


def _dimension(key: str, entry: Mapping[str, Any], where: str) -> Dimension:
    if unknown := set(entry) - {"low", "high", "scale", "choices"}:
        name = min(unknown)
        raise InputError(f"{where}.{name}: {offer(name, ('low', 'high', 'scale', 'choices'))}")
    if "choices" in entry:
        choices = entry["choices"]
        if not isinstance(choices, Sequence) or isinstance(choices, str) or not choices:
            raise InputError(f"{where}.choices={choices}: must be a list of values")
        return Dimension(key, choices=tuple(choices))
    low, high = entry.get("low"), entry.get("high")
    scale = entry.get("scale", "linear")
    for name, bound in (("low", low), ("high", high)):
        if not is_number(bound):
            raise InputError(f"{where}.{name}={bound}: must be a number")
    assert low is not None
    assert high is not None
    if scale not in ("log", "linear"):
        raise InputError(f"{where}.scale={scale}: {offer(str(scale), ('log', 'linear'))}")
    if not low < high:
        raise InputError(f"{where}: low={low} must be below high={high}")
    if scale == "log" and low <= 0:
        raise InputError(f"{where}.low={low}: a logarithmic scale needs a positive bound")
    return Dimension(key, float(low), float(high), scale == "log")


def draw(space: Sequence[Dimension], trials: int, seed: int, name: str) -> list[dict[str, Value]]:
    """Return the settings of ``trials`` trials: a scrambled Sobol sequence (Owen 1998).

    The first trials of a longer search are those of a shorter one. Every optimizer has a
    scramble of its own, made from ``seed`` and ``name``.

    Args:
        space: What is searched.
        trials: Number of trials.
        seed: Seed of the search.
        name: The optimizer.
    """
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    sobol = qmc.Sobol(len(space), scramble=True, rng=int.from_bytes(digest[:8], "little"))
    points = sobol.random_base2(math.ceil(math.log2(trials)) if trials > 1 else 0)[:trials]
    return [{d.key: d.at(float(u)) for d, u in zip(space, p, strict=True)} for p in points]
