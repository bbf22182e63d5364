"""Looks at a user's YAML before Hydra reads it, which not all YAML comes back from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hydra.plugins.config_source import ConfigSource

from sgdlab.config.catalogue import is_of_one, takes_one
from sgdlab.errors import InputError
from sgdlab.results.plain_yaml import Unreadable, events_of
from sgdlab.results.texts import line_of

MOST_BYTES = 1 << 20
MOST_VALUES = 10_000
"""Ten times what a config with a number for every class of ImageNet has; each takes Hydra 0.1 ms
several times over."""
DEEPEST = 40
"""Levels; Hydra takes about eight calls for each, and Python a thousand in all."""
LARGEST = 1 << 63
"""Whole numbers of torch and NumPy have 64 bits."""


def check_file(path: Path) -> None:
    """Refuse a config file that is no mapping of plain values, or too much of one.

    Raises:
        InputError: Names the file and the line.
    """
    text = _text_of(path)
    try:
        ConfigSource._get_header_dict(text[:512])  # as Hydra reads it
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error
    try:
        for _ in events_of(text, DEEPEST):
            pass  # before it is read in a way that calls itself
        _Weighed(path, yaml.compose(text, Loader=_LOADER)).check()
    except Unreadable as error:
        raise error.named(path) from error
    except yaml.YAMLError as error:
        mark: Any = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or " ".join(str(error).split())
        place = f"{path}, line {mark.line + 1}" if mark else f"{path}"
        raise InputError(f"{place}: not valid YAML: {what}") from error


_OF_YAML = "tag:yaml.org,2002:"
_PLAIN = ("str", "int", "float", "bool", "null", "map", "seq", "merge", "timestamp")
"""Tags of plain values; Hydra reads a date as text."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _text_of(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"{path}: no file, so no config")
    with path.open("rb") as file:  # no more than that, whatever it grows to
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InputError(f"{path}: larger than {MOST_BYTES >> 20} MiB, so no config")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = line_of(content, error.start)
        raise InputError(f"{path}, line {line}: not UTF-8: {error.reason}") from error
    if found := yaml.reader.Reader.NON_PRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise InputError(f"{path}, line {line}: the character {found[0]!r}, which YAML lacks")
    return text


class _Weighed:
    """A YAML document with how much it comes to once its aliases are written out."""

    def __init__(self, path: Path, root: yaml.Node | None) -> None:
        self._path, self._root = path, root
        self._sizes: dict[int, int] = {}
        self._open: set[int] = set()

    def check(self) -> None:
        """Refuse what no config is; see `check_file`."""
        if self._root is None or self._root.tag == f"{_OF_YAML}null":
            return
        if isinstance(self._root, yaml.SequenceNode):
            raise self._no(self._root, "a list; must be keys and values, such as lr: 0.1")
        if not isinstance(self._root, yaml.MappingNode):
            raise self._no(self._root, f"{self._root.value[:40]!r} alone; must be keys and values")
        self._size(self._root)
        for key, value in self._root.value:
            if key.value == "defaults" and isinstance(value, yaml.SequenceNode):
                self._check_defaults(value)

    def _check_defaults(self, entries: yaml.SequenceNode) -> None:
        """Refuse a list of names for a group that takes one; see `takes_one`."""
        for entry in entries.value:
            for key, value in entry.value if isinstance(entry, yaml.MappingNode) else ():
                group = str(key.value).split()[-1].lstrip("/").partition("@")[0]
                if not (is_of_one(group) and isinstance(value, yaml.SequenceNode)):
                    continue
                names = [str(name.value) for name in value.value]
                said = takes_one(group, names, sweeps=False).replace(f"{group}=", f"{group}: ")
                raise self._no(key, f"{key.value}: [{', '.join(names)}]: {said}")

    def _size(self, node: yaml.Node) -> int:
        if id(node) in self._open:
            raise self._no(node, "an alias inside of what it stands for: it has no end")
        if id(node) not in self._sizes:
            self._open.add(id(node))
            self._check_value(node)
            size = 1 + sum(self._size(child) for child in _children(node))
            if size > MOST_VALUES:
                raise self._no(node, f"more than {MOST_VALUES:,} values, aliases written out")
            self._sizes[id(node)] = size
            self._open.remove(id(node))
        return self._sizes[id(node)]

    def _check_value(self, node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise self._no(key, "a key that is a list or a mapping; must be a name")
                if key.value in seen:
                    raise self._no(key, f"the key {key.value} for the second time")
                seen.add(key.value)
        elif node.tag == f"{_OF_YAML}int":
            digits = node.value.lstrip("+-")
            if len(digits) > 70 or not _is_small(digits):
                raise self._no(node, "a whole number of more than 64 bits")
        kind = node.tag.removeprefix(_OF_YAML)
        if kind in ("int", "float", "bool"):
            try:
                yaml.SafeLoader("").construct_object(node)
            except (ValueError, KeyError) as error:
                raise self._no(node, f"{node.value[:40]!r} is no {kind}") from error
        if kind not in _PLAIN:
            said = node.tag if kind == node.tag else f"!!{kind}"
            raise self._no(node, f"the tag {said}: must be a plain value; _target_ makes others")

    def _no(self, node: yaml.Node, what: str) -> InputError:
        return InputError(f"{self._path}, line {node.start_mark.line + 1}: {what}")


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    for child in node.value if isinstance(node, yaml.CollectionNode) else ():
        yield from child if isinstance(child, tuple) else (child,)


def _is_small(digits: str) -> bool:
    try:
        return int(digits.replace("_", ""), 0) < LARGEST
    except ValueError:  # of another notation, such as 1:30 or 017, which has few digits
        return True
