"""Calling what a section of a config names. The only caller of `hydra.utils.instantiate`."""

import contextlib
import copy
import functools
import json
import pkgutil
import sys
from collections.abc import Callable, Mapping
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf

from sgdlab import signals
from sgdlab.checks import pip_install
from sgdlab.config.files_read import reading
from sgdlab.config.schema import RunConfig
from sgdlab.config.signature import names_taken, parameters_of
from sgdlab.config.sources import new_modules, targets_in
from sgdlab.errors import InputError, one_line, suggest, text_of
from sgdlab.optimizers import traits
from sgdlab.steps.streams import remember, seeded

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
        return _imported(section["_target_"])
    except ModuleNotFoundError as error:
        if error.name not in _EXTRAS:
            line = f"{where}: cannot import {section['_target_']}: {text_of(error)}"
            raise InputError(line) from error
        raise InputError(
            f"{where}: needs the package {error.name}; {pip_install(_EXTRAS[error.name])}"
        ) from error
    except BaseException as error:
        if signals.is_real(error):
            raise
        line = text_of(error)
        raise InputError(f"{where}: cannot import {section['_target_']}: {line}") from error


def _imported(target: str) -> Callable[..., Any]:
    """Import a target; what a user's module draws as it is imported is the same in every run."""
    if target.rpartition(".")[0] in sys.modules:
        return pkgutil.resolve_name(target)
    before = set(sys.modules)
    with seeded(0, devices=[]):
        found = pkgutil.resolve_name(target)
    remember(new_modules(before))
    return found


def call(
    section: Section,
    where: str,
    offered: dict[str, Any] | None = None,
    *,
    bind: bool = False,
    **arguments: Any,
) -> Any:
    """Call what a section names with its settings.

    Args:
        section: The section, which names its ``_target_``.
        where: What messages call it, ``group=member``.
        offered: Arguments that are passed if the target has parameters of exactly these names,
            and the section does not set them.
        bind: Call nothing, and return the target with the arguments bound. Without it a target is
            called, with ``_partial_: true`` in its YAML, too: what it lacks comes from here.
        arguments: Arguments that are passed in any case.

    Raises:
        InputError: The target refuses its settings; one line says which and why.
    """
    section = {key: value for key, value in section.items() if key != traits.KEY}
    if unset := [f"{where.partition('=')[0]}.{key}" for key in section if section[key] == "???"]:
        raise InputError(f"{where}: needs {' and '.join(f'{key}=' for key in unset)}")
    target = target_of(section, where)
    _refuse_unread(section, target, where)
    taken = _accepted(section, target, offered or {})
    try:
        with _noted(section):
            if not bind and _is_quick(section, target):
                return target(**{**copy.deepcopy(_settings(section)), **taken, **arguments})
            # Only the settings pass through Hydra, which would turn tuples into lists.
            prepared = instantiate(OmegaConf.create(dict(section)), _convert_="all", _partial_=True)
            if bind:
                return functools.partial(target, **prepared.keywords, **taken, **arguments)
            built = prepared(**taken, **arguments)
        _vetted.add(_seal(section, target))
        return built
    except BaseException as error:
        if signals.is_real(error):
            raise
        wrapped = error.__cause__ if isinstance(error, InstantiationException) else None
        cause = wrapped or error
        if is_out_of_memory(cause):
            raise cause from None
        if isinstance(cause, InputError):
            text = str(cause)
            raise InputError(text if where in text else f"{where}: {text}") from error
        line = text_of(cause)
        raise InputError(f"{where}: {line}{_listed(section)}{_hint(line, offered)}") from error


def call_or_bind(section: Section, where: str, offered: dict[str, Any]) -> Any:
    """Return a function of two arguments, such as a loss: what `call` returns, or the target.

    A target that is a function with two parameters that nobody sets, ``loss(output, target)``, is
    that function already, with its settings bound; any other is called to get it.

    Raises:
        InputError: See `call`.
    """
    target = target_of(section, where)
    if section.get("_partial_"):
        return call(section, where, offered, bind=True)
    if isinstance(target, type):
        return call(section, where, offered)
    if isinstance(target, torch.nn.Module):
        return copy.deepcopy(target)
    try:
        parameters = parameters_of(target).values()
    except ValueError:
        return call(section, where, offered)
    own = {key: value for key, value in section.items() if key != traits.KEY}
    known = {*own, *offered}
    needed = [p for p in parameters if p.default is p.empty and p.name not in known]
    if len([p for p in needed if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]) != 2:
        return call(section, where, offered)
    bound = call(section, where, offered, bind=True)
    first, second = (p.name in _TRUTH for p in needed[:2])
    return functools.partial(_turned, bound) if first and not second else bound


_TRUTH = ("y_true", "true", "target", "targets", "label", "labels", "y")
"""Names of a first parameter that takes the targets, as in scikit-learn."""


def _turned(function: Callable[[Any, Any], Any], output: Any, target: Any) -> Any:
    return function(target, output)


def _noted(section: Section) -> contextlib.AbstractContextManager[None]:
    """Take note of the files that a part reads which is not sgdlab's own."""
    ours = all(target.startswith(("sgdlab.", "torch.")) for target in targets_in(section))
    return contextlib.nullcontext() if ours else reading(section)


def _refuse_unread(section: Section, target: Callable[..., Any], where: str) -> None:
    """Refuse a setting that the target does not take; of one that takes any, none is refused."""
    try:
        parameters = parameters_of(target)
    except (TypeError, ValueError):
        return  # written in C: it says so itself
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for key in _settings(section):
        if key not in parameters and not key.startswith("_"):
            name = str(section["_target_"]).rpartition(".")[2]
            known = [name for name in parameters if name not in ("params", "self")]
            offered = suggest(key, known) if known else "it has none"
            raise InputError(f"{where}: {name} has no setting {key}; {offered}")


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


def _accepted(
    section: Section, target: Callable[..., Any], offered: dict[str, Any]
) -> dict[str, Any]:
    if not offered:
        return {}
    given = section.get("_args_") or ()
    open_names = names_taken(target, len(given)) - section.keys()
    return {key: value for key, value in offered.items() if key in open_names}


def _hint(line: str, offered: dict[str, Any] | None) -> str:
    """Say how a target gets an argument that it misses and that sgdlab knows."""
    missed = [name for name in offered or {} if "missing" in line and f"'{name}'" in line]
    if not missed:
        return ""
    return f"; sgdlab passes {missed[0]} to a parameter of that name, not into **kwargs"


def _listed(section: Section) -> str:
    """Return the settings that are set, as a message shows them."""
    values = [f"{k}={v}" for k, v in _settings(section).items() if v is not None and v is not False]
    return f" ({', '.join(values)})" if values else ""


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an exception means that memory ran out, on any device."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = one_line(error)
    return isinstance(error, RuntimeError) and (
        "can't allocate memory" in text
        or "not enough memory" in text
        or "out of memory" in text
        or "STATUS_ALLOC_FAILED" in text  # of cuBLAS and cuDNN
    )
