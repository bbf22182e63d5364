"""How the numbers of a job reach its resolved config, so that the next jobs need no composing.

A sweep asks for thousands of configs that differ in numbers only. What Hydra and OmegaConf make of
a number is found out once, by resolving the same config twice with different numbers: a value that
changed, and is equal to one of the numbers both times, takes that number in. Where a number
arrives nowhere, or something else changed, or zeros come out otherwise, jobs are composed one by
one.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

Number = int | float
_Path = tuple[str | int, ...]

_NUMBER = re.compile(
    r"([a-zA-Z_]\w*(?:\.\w+)*)="
    r"(?:(-?(?:0|[1-9]\d{0,17}))|(-?(?:0|[1-9]\d*)(?:\.\d+(?:[eE][+-]?\d+)?|[eE][+-]?\d+)))",
    re.ASCII,
)
# Whose value is that of one key, or of none: others may do anything with a number.
_HARMLESS = re.compile(r"\$\{(?:oc\.select:|oc\.env:|now:|hydra:runtime\.)?[^${}:]*\}")


def number_of(override: str) -> tuple[str, Number] | None:
    """Return key and value of ``key=number`` as Hydra reads it; None for all else."""
    match = _NUMBER.fullmatch(override)
    if match is None or match[1].startswith("hydra."):
        return None
    return match[1], int(match[2]) if match[2] is not None else float(match[3])


def follows_numbers(config: DictConfig) -> bool:
    """Say whether every interpolation of a composed config passes values on as they are.

    Hydra's own section is left aside.
    """
    unresolved = cast("dict[str, Any]", OmegaConf.to_container(config, resolve=False))
    own = {key: value for key, value in unresolved.items() if key != "hydra"}
    texts = [value for _, value in _leaves(own, ()) if isinstance(value, str)]
    return not any("$" in _HARMLESS.sub("", text) or "\\$" in text for text in texts)


@dataclass(frozen=True)
class Pattern:
    """Where numbers of jobs go in a resolved config.

    Attributes:
        plain: The resolved config of one such job, a plain container.
        takes: The position of a number and the type of the value, by the path of each value that
            takes a number in.
    """

    plain: dict[str, Any]
    takes: Mapping[_Path, tuple[int, type]]

    def filled(self, numbers: Sequence[Number]) -> dict[str, Any]:
        """Return the config of another job; sections that no number is in are shared."""
        result: Any = dict(self.plain)
        copied: dict[_Path, Any] = {(): result}
        for path, (position, kind) in self.takes.items():
            section = result
            for depth, key in enumerate(path[:-1], start=1):
                if path[:depth] not in copied:
                    copied[path[:depth]] = section[key] = section[key].copy()
                section = section[key]
            section[path[-1]] = kind(numbers[position])
        return result


def find(
    resolved: Callable[[Sequence[Number]], dict[str, Any]], numbers: Sequence[Number]
) -> Pattern | None:
    """Return where the numbers of a job go; None where one does not arrive as it is.

    Args:
        resolved: Gives the resolved config for numbers in place of the job's, or raises.
        numbers: The numbers of the job; each has to arrive somewhere.
    """
    others = _unlike(numbers)
    plain, other = resolved(numbers), dict(_leaves(resolved(others), ()))
    mine = dict(_leaves(plain, ()))
    if mine.keys() != other.keys():
        return None
    takes: dict[_Path, tuple[int, type]] = {}
    for path, value in mine.items():
        if _same(value, other[path]):
            continue
        kind = type(value)
        if kind not in (int, float) or other[path] not in others:
            return None
        takes[path] = others.index(other[path]), kind
    pattern = Pattern(plain, takes)
    arrived = {position for position, _ in takes.values()} == set(range(len(numbers)))
    if not arrived or not _agree(dict(_leaves(pattern.filled(numbers), ())), mine):
        return None
    # Zero is where conversions part from copies: as a truth value it is false, all others true.
    zeros = [type(number)(0) for number in numbers]
    found, right = (dict(_leaves(c, ())) for c in (pattern.filled(zeros), resolved(zeros)))
    return pattern if _agree(found, right) else None


def _unlike(numbers: Sequence[Number]) -> list[Number]:
    """Return small numbers of the same types, all different from each other and from the given."""
    fresh = (n for n in itertools.count(2) if n not in numbers and n + 0.5 not in numbers)
    return [n + 0.5 if isinstance(v, float) else n for v, n in zip(numbers, fresh, strict=False)]


def _agree(one: Mapping[_Path, Any], other: Mapping[_Path, Any]) -> bool:
    return one.keys() == other.keys() and all(_same(one[p], other[p]) for p in one)


def _same(one: object, other: object) -> bool:
    return type(one) is type(other) and (one == other or one != one)


def _leaves(value: Any, path: _Path) -> Iterator[tuple[_Path, Any]]:
    """Yield the single values of a container, and its empty containers, each with its path."""
    if isinstance(value, dict | list) and value:
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, (*path, key))
    else:
        yield path, value
