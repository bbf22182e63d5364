"""Values of a config as Python source."""

import keyword
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sgdlab.checks import require_whole
from sgdlab.errors import InputError
from sgdlab.optimizers.traits import KEY

WIDTH = 100
"""Longest line of a snippet, that of sgdlab's own source."""


def section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a section of a config; an empty one where the config has none.

    Raises:
        InputError: It is no mapping.
    """
    found = config.get(name)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise InputError(f"{name}={found}: must be a section of a run's config.yaml")
    return cast("Mapping[str, Any]", found)


def whole(config: Mapping[str, Any], key: str, default: int) -> int:
    """Return a whole number from 1 of a config or a section.

    Raises:
        InputError: It is none.
    """
    return require_whole(key, config.get(key, default))


def member(config: Mapping[str, Any], group: str) -> str:
    """Return the name of a group's member, such as ``adamw``: for people to read."""
    name = section(config, "names").get(group)
    return _words(str(name or section(config, group).get("_target_", group)).rsplit(".", 1)[-1])


def target(config: Mapping[str, Any], group: str) -> tuple[str, str]:
    """Return module and name of the class or function that a section names.

    Raises:
        InputError: It names none.
    """
    text = section(config, group).get("_target_")
    if not isinstance(text, str) or not re.fullmatch(r"[\w.]+(?::[\w.]+)?", text):
        raise InputError(f"{group}._target_={text}: must name a class or function, module.Class")
    if ":" in text:
        module, _, name = text.partition(":")
        return module, name
    parts = text.split(".")
    # A class method, module.Class.make, has its module before the first capital.
    at = next((i for i, part in enumerate(parts) if part[:1].isupper()), len(parts) - 1)
    at = min(max(at, 1), len(parts) - 1)
    if at < 1:
        raise InputError(f"{group}._target_={text}: must name a module, too: module.Class")
    return ".".join(parts[:at]), ".".join(parts[at:])


def settings(config: Mapping[str, Any], group: str) -> dict[str, Any]:
    """Return a section's settings without ``_target_`` and an optimizer's traits.

    Raises:
        InputError: One is an object that a config library would have to build.
    """
    found = {str(key): value for key, value in section(config, group).items()}
    for key in ("_target_", KEY):
        found.pop(key, None)
    for key, value in found.items():
        is_name = key.isidentifier() and not keyword.iskeyword(key) and not key.startswith("_")
        if not is_name or _is_built(value):
            raise InputError(
                f"{group}.{key}: a snippet can hold plain settings only, not what Hydra builds"
            )
    return found


def _is_built(value: Any) -> bool:
    if isinstance(value, Mapping):
        content = cast("Mapping[str, Any]", value)
        return "_target_" in content or any(map(_is_built, content.values()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return any(map(_is_built, cast("Sequence[Any]", value)))
    return False


def literal(value: Any) -> str:
    """Return Python source of a plain value that reads back exactly.

    Raises:
        InputError: It is no plain value.
    """
    if value is None or isinstance(value, bool | int):
        return repr(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f'float("{value}")'
    if isinstance(value, str):
        simple = value.isprintable() and not re.search(r'["\\]', value)
        return f'"{value}"' if simple else repr(value)
    if isinstance(value, Mapping):
        content = cast("Mapping[Any, Any]", value)
        pairs = (f"{literal(key)}: {literal(item)}" for key, item in content.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, tuple):
        items = [literal(item) for item in cast("tuple[Any, ...]", value)]
        return f"({', '.join(items)}{',' if len(items) == 1 else ''})"
    if isinstance(value, list):
        return f"[{', '.join(literal(item) for item in cast('list[Any]', value))}]"
    raise InputError(f"{value!r}: a snippet can hold plain settings only")


def call(name: str, arguments: Sequence[str], indent: int = 4, prefix: str = "") -> str:
    """Return a call in one line, or with a line per argument where one is too short.

    Args:
        name: The name of what is called.
        arguments: The source of each argument.
        indent: The spaces in front.
        prefix: The text in front of the name: ``optimizer = ``.
    """
    space = " " * indent
    line = f"{space}{prefix}{name}({', '.join(arguments)})"
    if len(line) <= WIDTH:
        return line
    inner = "".join(f"{space}    {argument},\n" for argument in arguments)
    return f"{space}{prefix}{name}(\n{inner}{space})"


def prose(text: str) -> str:
    """Return text that can stand in a docstring or a comment, in one line."""
    return _words(text).replace("\\", "\\\\").replace('"', "'")


def _words(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
