"""Which trackers a command line names, made from their settings and checked before any work."""

import hashlib
import importlib.util
import json
import os
import pkgutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from sgdlab.checks import pip_install, require_whole
from sgdlab.errors import InputError, suggest
from sgdlab.startup import conf_dir
from sgdlab.trackers.base import Tracker
from sgdlab.visible import without_password

Logger = Mapping[str, Mapping[str, Any]]
"""Names of trackers, each with the section of its settings, as ``logger`` of a config has them."""

GROUP = "logger"


def checked(logger: Any) -> Logger:
    """Return the trackers of a config, once each of them says that it can send.

    Raises:
        InputError: A tracker's package is not installed, a setting is none of its, or its store
            cannot be reached or written; names what would be right.
    """
    if not logger:
        return {}
    if not isinstance(logger, Mapping) or not all(isinstance(s, Mapping) for s in logger.values()):
        raise InputError(f"{GROUP}={logger}: name trackers, such as {GROUP}=[tensorboard,mlflow]")
    for name, section in logger.items():
        tracker = tracker_of(str(name), section)
        if importlib.util.find_spec(tracker.package) is None:
            raise InputError(
                f"{GROUP}={name}: needs the package {tracker.package}; {pip_install(tracker.extra)}"
            )
        tracker.check()
    return {str(name): dict(section) for name, section in logger.items()}


def of_option(texts: Sequence[str]) -> Logger:
    """Return the trackers of ``--to NAME[=PLACE][,NAME…]``, with the settings that we ship.

    Raises:
        InputError: There is no such tracker; see also `checked`.
    """
    found: dict[str, dict[str, Any]] = {}
    names = _names()
    for text in (part.strip() for each in texts for part in each.split(",")):
        name, given, place = text.partition("=")
        if name not in names:
            raise InputError(f"--to {text!r}: no such tracker; {suggest(name, names)}")
        section = _shipped(name)
        if given:
            first = next(key for key in section if key != "_target_")
            section[first] = place
        found[name] = section
    return checked(found)


def option_of(name: str, section: Mapping[str, Any]) -> str:
    """Return a tracker as ``--to`` takes it, with its place where that is not the shipped one."""
    shipped = _shipped(name) if name in _names() else {}
    first = next((key for key in section if key != "_target_"), "")
    place = section.get(first)
    if place is None or place == shipped.get(first):
        return name
    return f"{name}={without_password(str(place))}"


def _names() -> list[str]:
    return [path.stem for path in sorted((conf_dir() / GROUP).glob("*.yaml"))]


def _shipped(name: str) -> dict[str, Any]:
    return yaml.safe_load((conf_dir() / GROUP / f"{name}.yaml").read_text(encoding="utf-8"))


def with_pictures(logger: Logger, formats: Sequence[str]) -> list[str]:
    """Return formats of a report's figures, with those that trackers can show.

    Args:
        logger: The trackers.
        formats: The formats without them.
    """
    shown = (tracker_of(name, section).pictures for name, section in logger.items())
    wanted = [endings[0].removeprefix(".") for endings in shown]
    return list(dict.fromkeys([*formats, *wanted]))


def tracker_of(name: str, section: Mapping[str, Any]) -> Tracker:
    """Return a tracker with its settings; it has reached nothing yet.

    Raises:
        InputError: Its class cannot be imported, or does not take a setting.
    """
    settings = {key: value for key, value in section.items() if key != "_target_"}
    try:
        target = pkgutil.resolve_name(str(section.get("_target_")))
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"{GROUP}.{name}: cannot import its _target_: {error}") from error
    import inspect  # 10 ms that only those pay who have a tracker

    taken = list(inspect.signature(target).parameters)
    for key in settings:
        if key not in taken:
            raise InputError(f"{GROUP}.{name}.{key}: no such key; {suggest(key, taken)}")
    if "every" in settings:
        require_whole(f"{GROUP}.{name}.every", settings["every"], of="of steps")
    return target(**settings)


def lock_file(name: str, section: Mapping[str, Any], roots: Sequence[Path]) -> str:
    """Return the file that a process locks which sends certain runs to a certain place."""
    where = [name, dict(section), os.getcwd(), sorted(os.path.realpath(root) for root in roots)]
    digest = hashlib.sha256(json.dumps(where, sort_keys=True).encode()).hexdigest()[:16]
    user = os.getuid() if hasattr(os, "getuid") else 0
    return str(Path(tempfile.gettempdir()) / f"sgdlab-tracker-{user}-{digest}.lock")


def require_folder(key: str, folder: Path) -> None:
    """Refuse a folder that cannot be made, or not be written.

    Raises:
        InputError: Names the key, the folder and what is in the way.
    """
    for place in (folder, *folder.absolute().parents):
        if place.is_dir():
            if not os.access(place, os.W_OK | os.X_OK):
                raise InputError(f"{key}={folder}: {place} cannot be written; name another folder")
            return
        if place.exists() or place.is_symlink():
            raise InputError(f"{key}={folder}: {place} is no folder; name another one")
