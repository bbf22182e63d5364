"""Relative paths: in users' YAML they count from the config's folder, typed from where one is.

A text is a path where its key says so, or where it looks like one and the file exists:

- under ``root``, ``folder``, ``dir``, ``directory`` and keys that end so (``cache_dir``), always;
- under ``path``, ``file``, their plurals and keys that end so (``train_file``), ``weights``,
  ``checkpoint``, ``tokenizer``: where it exists, or ends in a suffix (``data.csv``, not
  ``IMAGENET1K_V1``);
- under any other key of a user's own part, where it has a slash or a suffix, and exists;
- the root key ``weights``, always.

Absolute paths, ``~`` and URLs are left alone, as is what a shipped YAML says.
"""

import functools
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from sgdlab.config.catalogue import conf_dir
from sgdlab.config.schema import GROUPS
from sgdlab.results import flatten

_FOLDER = re.compile(r"(?:\w*_)?(?:root|folder|dir|directory)")
_FILE = re.compile(r"(?:\w+_)?(?:paths?|files?)|weights|checkpoint|tokenizer")
_SUFFIX = re.compile(r"\w\.[a-z][a-z0-9]*$", re.ASCII)
_ELSEWHERE = re.compile(r"[~/]|\w+://")


def own_folders(runtime: Any) -> list[str]:
    """Return the user's config folders: of the command line, or that a primary config names."""
    sources: list[Any] = list(runtime.config_sources) if runtime else []
    return [s.path for s in sources if s.schema == "file" and _is_own(s.provider)]


def _is_own(provider: str) -> bool:
    # The config.yaml of a comparison names the folders that were on its command line.
    return "command-line" in provider or provider == "hydra.searchpath in main"


def typed_of(composed: DictConfig) -> list[str]:
    """Return the overrides that were typed for a run, wherever Hydra keeps them by now."""
    known: Any = composed if "hydra" in composed else HydraConfig.instance().cfg
    found: Any = OmegaConf.select(known, "hydra.overrides.task") if known is not None else None
    return list(map(str, found or []))


def resolve_paths(
    plain: dict[str, Any],
    overrides: Sequence[str],
    here: str,
    folders: Sequence[str],
    settled: Sequence[str] = (),
) -> None:
    """Make relative paths of a resolved config absolute, and record how they were written.

    Args:
        plain: The config, changed in place; ``relative_paths`` keeps the paths as they were
            written, and typed ones behind ``$PWD/``, since they may be other files.
        overrides: The overrides that were typed.
        here: The working directory, from which typed paths count.
        folders: The user's config folders; a member counts from the one that it lies in.
        settled: The groups whose paths are what they are: those of a ``config.yaml`` of ours.
    """
    typed = [key for key in map(_key_of, overrides) if key]
    written = {key: text for key, text in plain["relative_paths"].items() if not _in(key, typed)}
    for group in GROUPS:
        if not isinstance(section := plain.get(group), dict):
            continue
        name = plain["names"].get(group)
        shipped = _shipped(group, f"{name}")
        folder = next((f for f in folders if (Path(f) / group / f"{name}.yaml").is_file()), None)
        base = None if group in settled else folder or next(iter(folders), None)
        for holder, last, keys, text in _texts(section, (group,)):
            key = ".".join(keys)
            ours = shipped is not None and shipped.get(".".join(keys[1:])) == text
            is_typed = _in(key, typed)
            start = here if is_typed else None if ours else base
            if start is not None and _is_path(text, Path(start), keys[1:], shipped is None):
                holder[last] = os.path.normpath(os.path.join(start, text))
                written[key] = f"$PWD/{text}" if is_typed else text
    is_typed = _in("weights", typed)
    theirs = [] if settled else folders
    start, text = here if is_typed else next(iter(theirs), None), plain.get("weights")
    if start is not None and isinstance(text, str) and text and not _ELSEWHERE.match(text):
        plain["weights"] = os.path.normpath(os.path.join(start, text))
        written["weights"] = f"$PWD/{text}" if is_typed else text
    plain["relative_paths"] = written
    start = here if _in("import_from", typed) or not theirs else theirs[0]
    imports = (os.path.join(start, each) for each in plain["import_from"])
    plain["import_from"] = list(map(os.path.normpath, imports))


def _texts(section: Any, keys: tuple[str, ...]) -> Iterator[tuple[Any, Any, tuple[str, ...], str]]:
    """Yield every text in a section: what holds it, under what, the keys to there, and the text."""
    items = section.items() if isinstance(section, dict) else enumerate(section)
    for name, value in list(items):
        if str(name).startswith("_") and name != "_args_":
            continue
        if isinstance(value, dict | list):
            yield from _texts(value, (*keys, str(name)))
        elif isinstance(value, str):
            yield section, name, (*keys, str(name)), value


def _is_path(text: str, base: Path, keys: Sequence[str], own: bool) -> bool:
    """Say whether a text is a relative path.

    Args:
        text: The text.
        base: The folder that it would count from.
        keys: The keys above it, within its group.
        own: Whether the part is the user's: shipped ones have paths under keys that say so only.
    """
    if not text or _ELSEWHERE.match(text):
        return False
    if any(_FOLDER.fullmatch(key) for key in keys):
        return True
    has_suffix = _SUFFIX.search(text) is not None
    if any(_FILE.fullmatch(key) for key in keys):
        return has_suffix or _exists(base, text)
    return own and (has_suffix or "/" in text) and _exists(base, text)


def _exists(base: Path, text: str) -> bool:
    try:
        return (base / text).exists()
    except (OSError, ValueError):  # too long for a name, or with a zero byte
        return False


def _key_of(override: str) -> str | None:
    """Return the key that an override sets; None for the choice of a member."""
    key, _, value = override.lstrip("+").partition("=")
    is_choice = key.partition("@")[0] in (*GROUPS, "experiment") and not value.startswith("{")
    return None if is_choice else key


def _in(key: str, typed: Sequence[str]) -> bool:
    return any(key == each or key.startswith(f"{each}.") for each in typed)


@functools.cache
def _shipped(group: str, name: str) -> dict[str, Any] | None:
    """Return the flat content of a shipped member; None where sgdlab ships none of this name."""
    path = conf_dir() / group / f"{name}.yaml"
    return (
        flatten(yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else None
    )
