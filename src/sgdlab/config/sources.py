"""The source of users' own code: of what a config names, and of all that this imports."""

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from sgdlab.errors import lies_installed

_OURS = ("sgdlab", "hydra_plugins")

_as_imported: "WeakKeyDictionary[ModuleType, str]" = WeakKeyDictionary()
"""The hash of the source that each own module was made from: its file may change meanwhile."""


def targets_in(value: Any) -> Iterator[str]:
    """Yield every ``_target_`` in a section and in what it holds."""
    if isinstance(value, dict):
        if isinstance(target := value.get("_target_"), str):
            yield target
        for item in value.values():
            yield from targets_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from targets_in(item)


def sources_of(targets: Iterable[str], further: Iterable[str] = ()) -> dict[str, str | None]:
    """Return the user's modules that targets lead to, each with a hash of its source.

    A module counts if it lies neither in sgdlab nor in the standard library nor among installed
    packages. What it imports is read in its source, so that imports inside functions count and
    nothing has to be imported first; of modules that are imported, what they hold counts, too.
    Other top-level packages that are met come with None: their versions count.

    Args:
        targets: Dotted names of classes and functions.
        further: Names of further modules.
    """
    found: dict[str, str | None] = {}
    waiting = [prefix for name in (*targets, *further) for prefix in _prefixes(name)]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        top = name.partition(".")[0]
        if top in _OURS or top in sys.stdlib_module_names:
            continue
        if _is_installed(top):
            found[top] = None
            continue
        spec = _spec(name)
        if spec is None or not _is_own(spec):
            continue
        if spec.origin is not None:
            found[name] = hash_of(name)
            waiting += _imports(name, spec)
        waiting += _held_by(name)
    return dict(sorted(found.items()))


def hash_of(name: str) -> str | None:
    """Return the hash of a module's source as it was imported, else as it stands; None: no file."""
    module = sys.modules.get(name)
    if module is not None and module in _as_imported:
        return _as_imported[module]
    spec = _spec(name)
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        return None
    found = hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()[:16]
    if module is not None:
        _as_imported[module] = found
    return found


def new_modules(before: set[str]) -> list[ModuleType]:
    """Return the user's modules that were imported since, their sources noted.

    Args:
        before: The keys of `sys.modules` then.
    """
    own: list[ModuleType] = []
    for name in [name for name in sys.modules if name not in before]:
        module = sys.modules[name]
        spec = getattr(module, "__spec__", None)
        if isinstance(spec, ModuleSpec) and name.partition(".")[0] not in _OURS and _is_own(spec):
            hash_of(name)
            own.append(module)
    return own


@functools.cache
def version_of(package: str) -> str | None:
    """Return the version of an installed package, by the name that is imported."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        version = getattr(sys.modules.get(package), "__version__", None)
        return None if version is None else str(version)


def _prefixes(name: str) -> list[str]:
    parts = name.replace(":", ".").split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _spec(name: str) -> ModuleSpec | None:
    """Return where a module lies, without importing anything; None where there is none."""
    module = sys.modules.get(name)
    if isinstance(spec := getattr(module, "__spec__", None), ModuleSpec):
        return spec
    parent, _, _ = name.rpartition(".")
    try:
        if not parent:
            return importlib.util.find_spec(name)
        above = _spec(parent)
        places = above.submodule_search_locations if above is not None else None
        return None if places is None else PathFinder.find_spec(name, places)
    except (ImportError, ValueError, AttributeError):
        return None


def _is_installed(package: str) -> bool:
    """Say whether a top-level package lies among those that are installed."""
    if package not in _known:
        spec = _spec(package)
        if spec is None:
            return False  # it may yet come
        _known[package] = not _is_own(spec)
    return _known[package]


_known: dict[str, bool] = {}


def _is_own(spec: ModuleSpec) -> bool:
    places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())
    return bool(places) and all(place is not None and not lies_installed(place) for place in places)


def _imports(name: str, spec: ModuleSpec) -> list[str]:
    """Return the modules that a source may import; some of the names are no modules."""
    path = Path(str(spec.origin))
    if path.suffix != ".py":
        return []
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return []
    package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [prefix for alias in node.names for prefix in _prefixes(alias.name)]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            found += _prefixes(base) if base else []
            found += [f"{base}.{alias.name}" for alias in node.names if base]
        elif isinstance(node, ast.Call) and node.args:
            called = getattr(node.func, "attr", getattr(node.func, "id", None))
            literal = getattr(node.args[0], "value", None)
            if called in ("import_module", "__import__") and isinstance(literal, str):
                found += _prefixes(literal)
    return found


def _held_by(name: str) -> list[str]:
    """Return the modules of what an imported module holds, however it got there."""
    values = list(vars(sys.modules[name]).values()) if name in sys.modules else []
    found = {v.__name__ for v in values if isinstance(v, ModuleType)}
    found |= {v for value in values if isinstance(v := getattr(value, "__module__", None), str)}
    return [prefix for held in found for prefix in _prefixes(held)]
