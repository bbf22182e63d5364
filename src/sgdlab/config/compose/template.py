"""Settled configs of many jobs that differ in values, without composing each.

`sgdlab.config.resolve.settle` of a composed config is the truth. A `Template` gives the same plain
container a hundred times as fast where it follows from the text of the config, and raises
`NeedsFullCompose` where it may not: keys within keys, resolvers of the user's own, values that are refused.
"""

import pickle
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, ListConfig, OmegaConf, ValueNode, open_dict
from omegaconf._utils import split_key
from omegaconf.nodes import AnyNode, BooleanNode, FloatNode, IntegerNode, StringNode

from sgdlab.config.compose.references import (
    PLAIN,
    KeyPath,
    NeedsFullCompose,
    is_special,
    references,
    scalars,
    touches,
    with_changes,
)
from sgdlab.config.resolve import own_part, validate
from sgdlab.config.run_id import run_folder, run_name

_LEAVES = (AnyNode, FloatNode, IntegerNode, StringNode, BooleanNode)
# What `settle` fills by rules of its own.
_FILLED = ("names", "import_from")
_FOLDERS = {
    "${run_folder:}": run_folder,
    "${run_name:}": run_name,
    "${run_id:}": lambda _, identity: identity,
}


class Template:
    """The config of one combination of group choices, from which those of its jobs follow.

    Args:
        composed: As Hydra composed it, ``hydra`` included; overrides of values are not applied.

    Raises:
        Doubt: No job of this config can be given.
        OmegaConfBaseException: The config cannot be resolved without overrides of values.
    """

    def __init__(self, composed: DictConfig) -> None:
        self._composed = composed
        sweep = composed.hydra.sweep
        self._dir, self._subdir = (str(sweep._get_node(key)._value()) for key in ("dir", "subdir"))
        own = own_part(composed)
        self._references = references(own)
        OmegaConf.resolve(own)
        # `own_part` keeps the types of values, and not of interpolations at the root.
        self._targets = {path: _node_at(own, path) for path in self._references}
        self._resolved = pickle.dumps(own)
        self._plain = cast("dict[str, Any]", OmegaConf.to_container(own))
        self._special = [path for path, value in scalars(self._plain, ()) if is_special(value)]
        bare = composed.copy()
        with open_dict(bare):
            del bare.hydra
        self._bare = pickle.dumps(bare)
        self._leaves: dict[str, ValueNode | None] = {}
        self._containers: dict[tuple[str, ...], dict[KeyPath, Any]] = {}

    def settled(
        self, values: Sequence[Override], lr_is_typed: bool
    ) -> tuple[dict[str, Any], dict[KeyPath, Any]]:
        """Return the settled config of a job as a plain container, and what is changed in it.

        Sections that a job leaves as they are belong to all jobs: they are there to be read.

        Args:
            values: The job's overrides of values.
            lr_is_typed: ``optimizer.lr`` is among the overrides of the job.

        Raises:
            Doubt: The slow way decides.
            InputError: A value is impossible; the slow way says so in the same words.
            OmegaConfBaseException: A value has the wrong type; likewise.
        """
        changed = self._overridden(values)
        self._follow(changed)
        self._agree_on_lr(changed, lr_is_typed)
        if any(not touches(path, changed) for path in self._special):
            raise NeedsFullCompose
        settled = with_changes(self._plain, changed)
        validate(settled)
        return settled, changed

    def config(self, changed: Mapping[KeyPath, Any]) -> DictConfig:
        """Return the settled config of a job, from what `settled` says is changed."""
        config: DictConfig = pickle.loads(self._resolved)
        for path, value in changed.items():
            section: Any = config
            for key in path[:-1]:
                section = section[key]
            section[path[-1]] = value
        return config

    def place(self, settled: Mapping[str, Any], identity: str) -> tuple[str, str]:
        """Return ``hydra.sweep.dir`` and ``hydra.sweep.subdir`` of a job.

        Raises:
            Doubt: They are made of more than keys of the run and its names.
        """
        rest = PLAIN.sub("", self._dir)
        if self._subdir not in _FOLDERS or "$" in rest or "\\" in rest or self._dir == "???":
            raise NeedsFullCompose

        def value_of(match: re.Match[str]) -> str:
            key = match[1]
            value = settled.get(key)
            plain = isinstance(value, str | int) and not isinstance(value, bool)
            if not plain or self._leaf(key) is None or (key,) in self._references:
                raise NeedsFullCompose
            return str(value)

        return PLAIN.sub(value_of, self._dir), _FOLDERS[self._subdir](settled, identity)

    def _overridden(self, values: Sequence[Override]) -> dict[KeyPath, Any]:
        """Return the new values by place, converted to the types of the schema."""
        changed: dict[KeyPath, Any] = {}
        others: list[Override] = []
        for override in values:
            key, value = override.key_or_group, override.value()
            leaf = self._leaf(key)
            if leaf is not None and isinstance(value, str | int | float | None):
                changed[tuple(key.split("."))] = _converted(leaf, value)
            else:
                others.append(override)
        in_containers = self._in_containers(others) if others else {}
        if changed.keys() & in_containers.keys():
            raise NeedsFullCompose
        changed |= in_containers
        for path in changed:
            if path[0] in _FILLED or path[0] not in self._plain:
                raise NeedsFullCompose
            if any(path[:n] in changed for n in range(1, len(path))):
                raise NeedsFullCompose
        return changed

    def _leaf(self, key: str) -> ValueNode | None:
        """Return the node of a key that holds a single value, or None."""
        if key not in self._leaves:
            node: Any = self._composed
            for part in key.split("."):
                node = node._get_node(part) if _is_section(node) else None
            self._leaves[key] = node if type(node) in _LEAVES else None
        return self._leaves[key]

    def _in_containers(self, overrides: Sequence[Override]) -> dict[KeyPath, Any]:
        """Return the sections and lists that overrides make, by OmegaConf's own rules."""
        lines = tuple(str(override.input_line) for override in overrides)
        if lines not in self._containers:
            bare: DictConfig = pickle.loads(self._bare)
            paths = [_path_of(bare, override.key_or_group) for override in overrides]
            ConfigLoaderImpl._apply_overrides_to_config(list(overrides), bare)
            found = {path: _plain_at(bare, path) for path in paths}
            new = [value for path in found for _, value in scalars(found[path], ())]
            if any(map(is_special, new)):
                raise NeedsFullCompose
            if any(place[: len(path)] == path for place in self._references for path in found):
                raise NeedsFullCompose
            self._containers[lines] = found
        return self._containers[lines]

    def _follow(self, changed: dict[KeyPath, Any]) -> None:
        """Add what interpolations make of the changes."""
        waiting = {path: r for path, r in self._references.items() if path not in changed}
        while hit := [p for p, r in waiting.items() if any(touches(k, changed) for k in r.keys)]:
            for path in hit:
                reference = waiting.pop(path)
                source = reference.keys[0]
                target, value = self._targets[path], changed.get(source)
                copied = reference.copies and source in changed
                in_list = any(isinstance(key, int) for key in path)
                if not copied or in_list or type(target) not in _LEAVES:
                    raise NeedsFullCompose
                if isinstance(value, dict | list):
                    raise NeedsFullCompose
                changed[path] = _converted(target, value)

    def _agree_on_lr(self, changed: dict[KeyPath, Any], lr_is_typed: bool) -> None:
        section = self._plain["optimizer"]
        if ("optimizer",) in changed or not isinstance(section, dict):
            raise NeedsFullCompose
        inner = changed.get(("optimizer", "lr"), section.get("lr"))
        lr = changed.get(("lr",), self._plain["lr"])
        if lr_is_typed and lr != inner:
            raise NeedsFullCompose
        if lr is not None and "lr" in section and not is_special(inner):
            if type(self._leaf("optimizer.lr")) not in (AnyNode, FloatNode):
                raise NeedsFullCompose
            changed["optimizer", "lr"] = float(lr)


def _converted(leaf: ValueNode, value: Any) -> Any:
    if is_special(value) or (value is None and not leaf._is_optional()):
        raise NeedsFullCompose
    return leaf.validate_and_convert(value)


def _is_section(node: object) -> bool:
    special = isinstance(node, DictConfig) and (
        node._is_none() or node._is_missing() or node._is_interpolation()
    )
    return isinstance(node, DictConfig) and not special


def _path_of(config: DictConfig, key: str) -> KeyPath:
    """Return the place of the value that a change of ``key`` changes: a list as a whole."""
    path: list[str] = []
    node: Any = config
    for part in split_key(key):
        if isinstance(node, ListConfig):
            break
        if not _is_section(node) or node._get_node(part) is None:
            raise NeedsFullCompose
        path.append(part)
        node = node._get_node(part)
    return tuple(path)


def _node_at(config: DictConfig, path: KeyPath) -> Any:
    node: Any = config
    for part in path:
        node = node._get_node(part)
    return node


def _plain_at(config: DictConfig, path: KeyPath) -> Any:
    node = _node_at(config, path)
    return node._value() if isinstance(node, ValueNode) else OmegaConf.to_container(node)
