"""Places in a config: changes to them, and what its interpolations depend on."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, ListConfig
from omegaconf.base import Node

KeyPath = tuple[str | int, ...]
"""A key of a config and the sections that it is in, outermost first."""


class NeedsFullCompose(Exception):
    """What a job gives does not follow from the text of its config: the slow way decides."""


@dataclass(frozen=True)
class Reference:
    """What an interpolation depends on.

    Attributes:
        keys: The keys whose values it takes in.
        copies: It is the value of its one key, as ``${a.b}`` is, and not made from it.
    """

    keys: tuple[KeyPath, ...]
    copies: bool


_KEY = r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)"
PLAIN = re.compile(rf"\$\{{{_KEY}\}}")
"""Matches ``${a.b}``; group 1 is the key."""

_SELECT = re.compile(rf"\$\{{oc\.select:{_KEY}(?:,\s*null)?\}}")
_FREE = re.compile(r"\$\{(?:oc\.env|now):[^${}]*\}")


def references(config: DictConfig) -> dict[KeyPath, Reference]:
    """Return the interpolations of a config by their place.

    Raises:
        Doubt: One calls what may look at any key, such as a resolver of the user's own.
    """
    return {path: _read(str(node._value())) for path, node in _interpolations(config, ())}


def _read(text: str) -> Reference:
    if match := PLAIN.fullmatch(text) or _SELECT.fullmatch(text):
        return Reference((tuple(match[1].split(".")),), copies=True)
    rest = _FREE.sub("", text)
    if "$" in PLAIN.sub("", rest) or "\\" in text:
        raise NeedsFullCompose(text)
    return Reference(tuple(tuple(key.split(".")) for key in PLAIN.findall(rest)), copies=False)


def _interpolations(node: Node | None, path: KeyPath) -> Iterator[tuple[KeyPath, Node]]:
    if node is None:
        return
    if node._is_interpolation():
        yield path, node
    elif isinstance(node, DictConfig | ListConfig) and not (node._is_none() or node._is_missing()):
        keys = range(len(node)) if isinstance(node, ListConfig) else list(node)
        for key in keys:
            child = node._get_node(key)
            assert not isinstance(child, list)
            yield from _interpolations(child, (*path, key))


def is_special(value: object) -> bool:
    """Say whether OmegaConf reads a value as an interpolation, or as missing."""
    return isinstance(value, str) and ("${" in value or value == "???")


def scalars(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    """Yield the single values of a container, each with its place."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from scalars(item, (*path, key))
    else:
        yield path, value


def touches(path: KeyPath, changed: Mapping[KeyPath, Any]) -> bool:
    """Say whether a change is at, above or below a place."""
    if any(path[:n] in changed for n in range(1, len(path) + 1)):
        return True
    return any(place[: len(path)] == path for place in changed)


def with_changes(plain: dict[str, Any], changed: Mapping[KeyPath, Any]) -> dict[str, Any]:
    """Return a container with changes; what no change is in stays the same object."""
    result: dict[Any, Any] = dict(plain)
    copied: dict[KeyPath, dict[Any, Any]] = {}
    for path, value in changed.items():
        section = result
        for n, key in enumerate(path[:-1], start=1):
            if path[:n] not in copied:
                copied[path[:n]] = section[key] = dict(section[key])
            section = copied[path[:n]]
        section[path[-1]] = value
    return result
