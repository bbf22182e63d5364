"""Objects given in place of a member's name: named in a YAML, or written to a file once."""

import contextlib
import functools
import hashlib
import importlib
import inspect
import json
import os
import pkgutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import yaml

from sgdlab.api.settings import Whole
from sgdlab.config.catalogue import conf_dir
from sgdlab.config.schema import GROUPS
from sgdlab.config.sources import sources_of
from sgdlab.config.typed import as_typed
from sgdlab.errors import InputError
from sgdlab.results import atomic_write, atomic_write_by

_PLAIN = (str, int, float, bool, type(None))
_MOST_OF_NAME = 40


class Parts:
    """What objects among the settings of one call become: members of groups, and files.

    Nothing is written before `write`.
    """

    def __init__(self) -> None:
        self._yaml: dict[str, dict[str, Any]] = {}
        self._arrays: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._import_from: dict[str, None] = {}

    def named(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings with the names of members in the places of objects.

        Raises:
            InputError: An object has no name that a config could keep; says what to do.
        """
        found: dict[str, Any] = {}
        for key, value in settings.items():
            if key == "callbacks" and isinstance(value, Mapping):
                callbacks = cast("Mapping[str, Any]", value)
                named = {n: self._section(f"callbacks.{n}", v) for n, v in callbacks.items()}
                found[key] = Whole(named)
            elif key in GROUPS and isinstance(value, list):
                found[key] = [self._member(key, each) for each in cast("list[Any]", value)]
            elif key in GROUPS:
                found[key] = self._member(key, value)
            else:
                found[key] = value
        return found

    @property
    def digest(self) -> str:
        """A short hash of all objects; empty where there are none."""
        if not (self._yaml or self._arrays):
            return ""
        content = f"{sorted(self._yaml.items())}{sorted(self._arrays)}"
        return hashlib.sha256(content.encode()).hexdigest()[:8]

    def write(self, folder: Path) -> tuple[list[str], Path | None]:
        """Write what configs name, each once; return overrides, and the folder of the YAML.

        Args:
            folder: The folder of the study's parts.
        """
        overrides: list[str] = []
        for name, (x, y) in self._arrays.items():
            path = folder / f"{name}.npz"
            if not path.is_file():
                atomic_write_by(lambda file, x=x, y=y: np.savez(file, x=x, y=y), path)
            overrides.append(f"dataset.path={as_typed(str(path))}")
        if self._import_from:
            overrides.append(f"import_from=[{','.join(map(as_typed, self._import_from))}]")
        if not self._yaml:
            return overrides, None
        own = folder / f"config-{self.digest}"
        for name, content in self._yaml.items():
            plain = json.loads(json.dumps(content))  # tuples are lists in YAML
            text = "# Named from Python.\n" + yaml.safe_dump(plain, sort_keys=False)
            atomic_write(own / f"{name}.yaml", text)
        return overrides, own

    def _member(self, group: str, value: Any) -> Any:
        """Return the name of a member that stands for an object; other values as they are."""
        if isinstance(value, (*_PLAIN, Mapping)):
            return cast("Any", value)
        if group == "dataset" and isinstance(value, tuple | list):
            return self._saved(cast("tuple[Any, ...]", value))
        section = self._section(group, value)
        if group == "optimizer" and "lr" not in section:
            section |= _rate(section)
        name = _shortened(str(section["_target_"]).rpartition(".")[2])
        if (conf_dir() / group / f"{name}.yaml").is_file():
            name = f"{name}-own"
        place = f"{group}/{name}"
        if self._yaml.setdefault(place, section) != section:
            raise InputError(
                f"{group}={name}: given twice with different settings; give it once, and sweep "
                f"the setting: {group}__KEY=[…]"
            )
        return name

    def _section(self, key: str, value: Any) -> dict[str, Any]:
        """Return the ``_target_`` of a class or function, with the settings of a `partial`."""
        if isinstance(value, Mapping):
            return dict(cast("Mapping[str, Any]", value))
        bound: dict[str, Any] = {}
        if isinstance(value, functools.partial):
            if value.args:
                raise InputError(f"{key}: a partial with arguments by position; name them")
            bound, value = dict(value.keywords), value.func
        target = _target(key, value)
        for name, own in bound.items():
            if not _is_plain(own):
                raise InputError(
                    f"{key}.{name}={type(own).__name__}: no value that a config holds; let the "
                    "function make it from numbers and texts"
                )
        if (root := _root_of(target)) is not None:
            self._import_from[root] = None
        return {"_target_": target, **bound}

    def _saved(self, pair: tuple[Any, ...]) -> str:
        if len(pair) != 2:
            raise InputError(f"dataset={type(pair).__name__} of {len(pair)}: must be (x, y)")
        x, y = _array(pair[0], "x"), _array(pair[1], "y")
        digest = hashlib.sha256()
        for array in (x, y):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        name = f"arrays-{digest.hexdigest()[:12]}"
        if self._arrays and name not in self._arrays:
            raise InputError("dataset: several pairs of arrays; make a call for each of them")
        self._arrays[name] = x, y
        return "arrays"


def _shortened(name: str) -> str:
    return name if len(name) <= _MOST_OF_NAME else name[:_MOST_OF_NAME]


def _target(key: str, value: Any) -> str:
    """Return the dotted name under which an object can be imported.

    Raises:
        InputError: There is none.
    """
    named = getattr(value, "__qualname__", None)
    if not callable(value) or named is None:
        raise InputError(
            f"{key}={type(value).__name__}: an object; give the class or a function that makes "
            "it, since every run makes its own: functools.partial(Net, width=64)"
        )
    module, name = str(getattr(value, "__module__", None)), str(named)
    shown = name.replace(".<locals>", "").rpartition(".")[2]
    if "<lambda>" in name or "<locals>" in name:
        what = "a lambda" if "<lambda>" in name else f"{shown} is defined inside a function"
        raise InputError(
            f"{key}: {what}, which no config can name; define it with def or class at the top of "
            f"a file, parts.py, import it, and give {key}=parts.{shown.replace('<lambda>', 'NAME')}"
        )
    if module in ("__main__", "None"):
        raise InputError(
            f"{key}: {shown} is defined in this notebook or script, from which no run can be "
            "repeated; put it into a file (in a notebook: a cell that begins with %%writefile "
            f"parts.py), import parts, and give {key}=parts.{shown}"
        )
    packages = module.split(".")
    # The shortest name, which people write and other configs have: torch.optim.Adam.
    for count in range(1, len(packages) + 1):
        target = f"{'.'.join(packages[:count])}.{name}"
        with contextlib.suppress(ImportError, AttributeError, ValueError):
            if pkgutil.resolve_name(target) is value:
                return target
    raise InputError(
        f"{key}: {module}.{name} is another object when it is imported; give the one that its "
        "module has under this name"
    )


def _root_of(target: str) -> str | None:
    """Return the folder that a user's module is imported from, where it is not the current one."""
    top = target.partition(".")[0]
    if not any(sources_of([target]).values()):
        return None
    spec = getattr(importlib.import_module(top), "__spec__", None)
    file = getattr(spec, "origin", None) or getattr(sys.modules[top], "__file__", None)
    if file is None:
        return None
    folder = Path(file).resolve().parent
    root = folder.parent if Path(file).name == "__init__.py" else folder
    return None if root == Path(os.getcwd()).resolve() else str(root)


def _rate(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the learning rate that an optimizer has by itself, so that ``lr`` can be set."""
    try:
        known = inspect.signature(pkgutil.resolve_name(str(section["_target_"]))).parameters
    except (TypeError, ValueError):
        return {}
    if "lr" not in known:
        return {}
    default = known["lr"].default
    return {"lr": float(default) if isinstance(default, int | float) else "???"}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, cast("list[Any]", value)))
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return all(isinstance(k, str) and _is_plain(v) for k, v in items)
    return isinstance(value, _PLAIN)


def _array(values: Any, name: str) -> np.ndarray:
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"dataset: {name} has rows of different lengths") from error
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"dataset: {name} holds {array.dtype}, not numbers; write a table to a CSV file, and "
            "give dataset='table', dataset__path='people.csv', dataset__target='bought'"
        )
    return array
