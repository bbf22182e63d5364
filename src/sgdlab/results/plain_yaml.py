"""Reads YAML that may be anyone's: plain values, as deep and as many as a config can need."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from sgdlab.errors import InputError
from sgdlab.results.texts import checked, line_of

DEEPEST = 64
"""Levels of lists and mappings in each other at most; a config of ours has six."""

MOST = 200_000
"""Values at most, those that aliases repeat counted each time."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What can nest deeper than lines are indented, or repeat what was said.
_NESTS = re.compile(r"[\[{&*]|[-?:]\s+[-?]\s|^ {40}", re.MULTILINE)


def read_yaml(path: Path | str) -> Any:
    """Return what a file of YAML holds: mappings, lists, text, numbers, true, false and null.

    Raises:
        FileNotFoundError: There is none.
        InputError: It cannot be read as such; names the file, and the line where one is known.
    """
    content = yaml_text(path)
    try:
        return parsed(content)
    except Unreadable as error:
        raise error.named(path) from error


def yaml_text(path: Path | str) -> str:
    """Return the text of a file of YAML.

    Raises:
        FileNotFoundError: There is none.
        InputError: It is no regular file, or too large, or no text.
    """
    raw = checked(path)
    try:
        return raw.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = line_of(raw, error.start)
        raise InputError(f"{path}, line {line}: not valid YAML (no UTF-8)") from error


class Unreadable(ValueError):
    """What is wrong with YAML.

    Attributes:
        line: The line, from 1; None where it is not known.
    """

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line

    def named(self, path: Path | str) -> InputError:
        """Return what is said to whoever gave the file."""
        where = "" if self.line is None else f", line {self.line}"
        return InputError(f"{path}{where}: {self}")


def parsed(content: str) -> Any:
    """Return what YAML holds.

    Raises:
        Unreadable: It is not valid, or too deep, or too much, or holds other than plain values.
    """
    try:
        if len(_NESTS.findall(content)) > DEEPEST or re.search(r"[&*]", content):
            _measure(content)
        found = yaml.load(content, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise Unreadable("not valid YAML", mark.line + 1 if mark else None) from error
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        # A date that no calendar has, a number of ten thousand digits.
        raise error if isinstance(error, Unreadable) else Unreadable("not valid YAML") from error
    _refuse_others(found)
    return found


def events_of(content: str, deepest: int) -> Iterator[tuple[yaml.Event, int | None]]:
    """Yield what YAML consists of, each with its line from 1, without calling itself.

    Raises:
        Unreadable: It is nested too deeply.
        YAMLError: It is no YAML.
    """
    depth = 0
    for event in yaml.parse(content, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else None
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > deepest:
                raise Unreadable(f"nested deeper than {deepest} levels", line)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        yield event, line


def _measure(content: str) -> None:
    """Refuse what is too deep or too much, before anything is built of it."""
    sizes: dict[str, int] = {}
    open_: list[tuple[str | None, int]] = []
    count = 0
    for event, line in events_of(content, DEEPEST):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise Unreadable(f"*{event.anchor} refers to what holds it, or to nothing", line)
            count += sizes[event.anchor]
        elif isinstance(event, yaml.CollectionStartEvent):
            count += 1
            open_.append((event.anchor, count))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_.pop()
            if anchor is not None:
                sizes[anchor] = count - before + 1
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if event.anchor is not None:
                sizes[event.anchor] = 1
        if count > MOST:
            raise Unreadable(f"more than {MOST:,} values", line)


def _refuse_others(value: Any, key: str = "") -> None:
    """Refuse whole numbers beyond 64 bits, and dates, bytes and sets, which no config has."""
    if isinstance(value, Mapping):
        for name, item in cast("Mapping[Any, Any]", value).items():
            _refuse_others(name, f"{key}key ")
            _refuse_others(item, f"{key}{name}.")
    elif isinstance(value, list):
        for number, item in enumerate(cast("list[Any]", value)):
            _refuse_others(item, f"{key}{number}.")
    elif type(value) is int:
        if not -(2**63) <= value < 2**63:
            raise Unreadable(f"{key[:-1]} is beyond 64 bits")
    elif not (value is None or type(value) in (str, float, bool)):
        raise Unreadable(f"{key[:-1]} is a {type(value).__name__}; a config has none")
