"""Calling what a section of a config names. The only caller of `hydra.utils.instantiate`."""

import copy
import inspect
import json
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from sgdlab.config.schema import RunConfig
from sgdlab.errors import InputError
from sgdlab.optimizers import traits

Section = Mapping[str, Any]

# Packages of optional extras, by module name.
_EXTRAS = {"pytorch_optimizer": "more-optimizers"}


def where(config: RunConfig, group: str) -> str:
    """Return ``group=member`` for messages."""
    return f"{group}={config.names.get(group, '?')}"


def target_of(section: Section, where: str) -> Callable[..., Any]:
    """Return the class or function that a section names.

    Raises:
        InputError: The section names none, or one that cannot be imported.
    """
    if "_target_" not in section:
        raise InputError(f"{where}: no _target_ in its YAML; it names the class or function")
    try:
        return pkgutil.resolve_name(section["_target_"])
    except ModuleNotFoundError as error:
        if error.name not in _EXTRAS:
            raise InputError(f"{where}: cannot import {section['_target_']}: {error}") from error
        raise InputError(
            f"{where}: needs the package {error.name}; pip install 'sgdlab[{_EXTRAS[error.name]}]'"
        ) from error
    except Exception as error:
        line = " ".join(str(error).split())
        raise InputError(f"{where}: cannot import {section['_target_']}: {line}") from error


def call(
    section: Section, where: str, offered: dict[str, Any] | None = None, **arguments: Any
) -> Any:
    """Call what a section names with its settings.

    Args:
        section: The section, which names its ``_target_``.
        where: What messages call it, ``group=member``.
        offered: Arguments that are passed if the target takes arguments of these names.
        arguments: Arguments that are passed in any case.

    Raises:
        InputError: The target refuses its settings; one line says which and why.
    """
    section = {key: value for key, value in section.items() if key != traits.KEY}
    target = target_of(section, where)
    taken = _accepted(target, offered or {})
    try:
        if _is_quick(section, target):
            return target(**{**copy.deepcopy(_settings(section)), **taken, **arguments})
        # Only the settings pass through Hydra, which would turn tuples into lists.
        prepared = instantiate(OmegaConf.create(dict(section)), _convert_="all", _partial_=True)
        built = prepared(**taken, **arguments)
        _vetted.add(_seal(section, target))
        return built
    except Exception as error:
        wrapped = error.__cause__ if isinstance(error, InstantiationException) else None
        cause = wrapped or error
        if is_out_of_memory(cause):
            raise cause from None
        if isinstance(cause, InputError):
            text = str(cause)
            raise InputError(text if where in text else f"{where}: {text}") from error
        line = " ".join(str(cause).split()) or type(cause).__name__
        raise InputError(f"{where}: {line}{_listed(section)}") from error


_vetted: set[str] = set()
"""What Hydra, which refuses some targets, has called in this process."""


def _is_quick(section: Section, target: Callable[..., Any]) -> bool:
    """Say whether calling a target without Hydra is the same: flat settings, vetted before."""
    flat = all(_is_flat(str(key), value) for key, value in section.items())
    return flat and _seal(section, target) in _vetted


def _seal(section: Section, target: Callable[..., Any]) -> str:
    """Return what stands for a call that Hydra allows: a class, else every setting, too."""
    is_class = isinstance(target, type) and not issubclass(target, type)
    return str(section["_target_"]) if is_class else json.dumps(section)


def _is_flat(key: str, value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_flat(key, item) for item in value)
    special = key != "_target_" and key.startswith("_")
    reads_as_other = isinstance(value, str) and ("${" in value or value == "???")
    return isinstance(value, str | int | float | None) and not special and not reads_as_other


def _settings(section: Section) -> dict[str, Any]:
    return {str(k): v for k, v in section.items() if k != "_target_"}


def _accepted(target: Callable[..., Any], offered: dict[str, Any]) -> dict[str, Any]:
    if not offered:
        return {}
    try:
        parameters = inspect.signature(target).parameters
    except (TypeError, ValueError):
        return {}
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return offered
    return {key: value for key, value in offered.items() if key in parameters}


def _listed(section: Section) -> str:
    """Return the settings that are set, as a message shows them."""
    values = [f"{k}={v}" for k, v in _settings(section).items() if v is not None and v is not False]
    return f" ({', '.join(values)})" if values else ""


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an exception means that memory ran out, on any device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in text or "not enough memory" in text or "out of memory" in text
    )
