"""One of the two optimizers: read from what was typed, and built over a network."""

import functools
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn
from torch.optim import Optimizer

from sgdlab.checks import is_number
from sgdlab.config.catalogue import members, suggest_member
from sgdlab.config.instantiate import call, target_of
from sgdlab.config.signature import parameters_of
from sgdlab.conform.cases import batch
from sgdlab.errors import InputError
from sgdlab.optimizers.decay import use_decay_mode
from sgdlab.optimizers.groups import parameter_groups
from sgdlab.optimizers.roles import roles_of
from sgdlab.optimizers.traits import traits_of
from sgdlab.startup import conf_dir
from sgdlab.visible import shell_word

IMPLEMENTATION = ("foreach", "fused", "capturable", "differentiable")
"""Settings of torch's optimizers that change no result."""

_OF_A_RUN = ("decay.mode", "decay.bias_and_norm")
"""Keys beside the optimizer's own that change what it does."""


@dataclass(frozen=True)
class Side:
    """An optimizer with its settings.

    Attributes:
        label: What it is called, as it was typed.
        section: ``_target_`` and settings.
        typed: The settings that were typed.
        extra: The keys of `_OF_A_RUN` that were typed.
    """

    label: str
    section: Mapping[str, Any]
    typed: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @functools.cached_property
    def settings(self) -> dict[str, Any]:
        """Every setting that it takes, with its value: typed, of its YAML, or its own default.

        A class that collects settings in ``**kwargs`` has those of its groups.
        """
        own = {k: v for k, v in self.section.items() if not k.startswith("_")}
        try:
            parameters = parameters_of(target_of(self.section, self.label))
        except (TypeError, ValueError):
            parameters = {}
        found = {n: p.default for n, p in parameters.items() if p.default is not p.empty}
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            found = self.defaults | found
        return {name: _plain(value) for name, value in (found | own).items()}

    @functools.cached_property
    def defaults(self) -> dict[str, Any]:
        """What its groups hold, under its own names; nothing where a lone tensor is refused."""
        try:
            lone = torch.nn.Parameter(torch.zeros(2, 2))
            optimizer = call(self.section, self.label, {}, params=[lone])
        except InputError:
            return {}
        return {name: _plain(value) for name, value in optimizer.defaults.items()}

    @property
    def takes_closure(self) -> bool:
        """Whether it needs the function itself."""
        return bool(traits_of(self.section).takes_closure)

    def with_settings(self, changes: Mapping[str, Any]) -> "Side":
        """Return it with other settings."""
        return Side(self.label, {**self.section, **changes}, self.typed, self.extra)

    def build(self, model: nn.Module, only: tuple[str, ...] = ()) -> Optimizer:
        """Return the optimizer over a network's parameters, all in one group where it can.

        Args:
            model: The network.
            only: Names of the parameters that are trained; without any, all.

        Raises:
            InputError: It refuses its settings or these parameters.
        """
        for name, p in model.named_parameters():
            p.requires_grad_(not only or name in only)
        traits = traits_of(self.section)
        decay = self.settings.get("weight_decay")
        plain = traits.roles is not True and self.extra.get("decay.bias_and_norm", True)
        params: Any = [p for p in model.parameters() if p.requires_grad]
        if not plain:
            params = parameter_groups(
                model,
                weight_decay=decay if is_number(decay) else None,
                bias_and_norm=self.extra.get("decay.bias_and_norm", True),
                roles=roles_of(model, batch(0)[0]) if traits.roles else None,
            )
        # A config holds neither tuples nor types.
        lists = {k: v for k, v in self.section.items() if isinstance(v, list)}
        objects: dict[str, Any] = {k: tuple(v) for k, v in lists.items()}
        objects |= {k: v for k, v in self.section.items() if isinstance(v, torch.dtype)}
        section = {k: v for k, v in self.section.items() if not isinstance(v, torch.dtype)}
        optimizer = call(section, self.label, {}, params=params, **objects)
        if not isinstance(optimizer, Optimizer):
            raise InputError(
                f"{self.label}: {self.section['_target_']} is no torch.optim.Optimizer"
            )
        if mode := self.extra.get("decay.mode"):
            use_decay_mode(optimizer, mode, self.settings.get("lr", 1.0), self.label)
        return optimizer


def side_of(text: str, own: Path | None = None) -> Side:
    """Return the optimizer of a word of the command line.

    ``NAME KEY=VALUE …`` in one word: NAME is a member of the group ``optimizer``, a class or
    function by its dotted path, an optimizer's YAML, or the folder or ``config.yaml`` of a run.

    Args:
        text: The word.
        own: The user's config folder.

    Raises:
        InputError: It is none of these, or a setting cannot be read.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise InputError(f"{text!r}: {error}") from error
    if not words or "=" in words[0]:
        raise InputError(f"{text!r}: name an optimizer first, such as 'adam eps=1e-7'")
    name, *typed = words
    section, extra = _read(name, own)
    given: dict[str, Any] = {}
    for word in typed:
        key, equals, value = word.partition("=")
        if not equals:
            raise InputError(f"{text!r}: {word} is no key=value")
        given[key.removeprefix("optimizer.")] = _value(key, value)
    for key in [key for key in given if key in _OF_A_RUN or key.startswith("decay.")]:
        if key not in _OF_A_RUN:
            raise InputError(f"{text!r}: no key {key}; it may have {' and '.join(_OF_A_RUN)}")
        extra[key] = given.pop(key)
    label = " ".join([name, *map(shell_word, typed)])
    return Side(label, {**section, **given}, tuple(given), extra)


def _value(key: str, text: str) -> Any:
    """Return a value as YAML reads it, and ``1e-7`` as a number, which YAML does not."""
    try:
        value = _load(text)
        return [_number(v) for v in value] if isinstance(value, list) else _number(value)
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(f"{key}={text}: cannot be read as a value") from error


def _number(value: Any) -> Any:
    is_one = isinstance(value, str) and "e" in value.lower() and value[:1] in "0123456789.-+"
    return float(value) if is_one else value


def _load(text: str) -> Any:
    return yaml.load(text, yaml.CSafeLoader)


def _read(name: str, own: Path | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return section and keys of `_OF_A_RUN` of what a name stands for."""
    path = Path(name)
    if path.is_dir() and (path / "config.yaml").is_file():
        path = path / "config.yaml"
    if path.suffix in (".yaml", ".yml"):
        return _of_file(path)
    if name in members("optimizer", own):
        roots = [conf_dir(), *([own] if own else [])]
        file = next(f for r in roots if (f := r / "optimizer" / f"{name}.yaml").is_file())
        if own is not None and file.is_relative_to(own):
            _import_from(own)
        return _of_file(file)
    if "." in name.strip("."):
        _import_from(Path.cwd())
        return {"_target_": name.replace(":", ".")}, {}
    raise InputError(
        f"{name}: no optimizer; {suggest_member('optimizer', name, own)}; a class goes by its "
        "dotted path, a config by its file"
    )


def _of_file(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        content = _load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(f"{path}: no YAML") from error
    run = content if isinstance(content, dict) else {}
    section = run.get("optimizer", run)
    if not isinstance(section, dict) or "_target_" not in section:
        raise InputError(f"{path}: neither an optimizer's YAML nor a run's config: no _target_")
    _import_from(Path.cwd())
    if section is run:
        return dict(run), {}
    decay = run.get("decay") or {}
    extra = {key: decay.get(key.partition(".")[2]) for key in _OF_A_RUN}
    return dict(section), {key: value for key, value in extra.items() if value is not None}


def _import_from(folder: Path) -> None:
    if (text := str(folder.resolve())) not in sys.path:
        sys.path.append(text)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def same_settings(a: Side, b: Side) -> Side:
    """Return the second optimizer with the first one's settings, where it has them, too.

    What was typed for it stays; so does what is neither in its YAML nor a setting of its class.
    """
    shared = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in a.settings.items()
        if name in b.settings and name not in b.typed and name not in IMPLEMENTATION
    }
    return b.with_settings(shared)
