"""The command that makes a run again, changed: what to copy into a terminal."""

import contextlib
import json
import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import yaml

from sgdlab.config.catalogue import conf_dir
from sgdlab.config.typed import as_typed
from sgdlab.diagnosis.run import RunRecord
from sgdlab.results import flatten
from sgdlab.visible import shell_path, shell_word

# What a run is called, where it goes and what is filled in by sgdlab.
_LABELS = frozenset(
    (
        "defaults", "hydra", "names", "study", "phase", "trial", "replicate", "contender",
        "resume", "import_from", "threads", "engine", "stacked", "experiment", "lesson",
        "evaluate_test", "relative_paths",
    )
)  # fmt: skip


def improved(run: RunRecord, changes: Mapping[str, object] | None = None, **groups: str) -> str:
    """Return the line that repeats a run with other settings.

    It names what differs from the defaults, as one would type it. Where a part of the run is a
    user's own, its YAML is not known; the line then starts from the run's ``config.yaml``.

    Args:
        run: The run to be repeated.
        changes: The new values by their keys.
        groups: The new members of groups, such as ``schedule="cosine"``.
    """
    changes = dict(changes or {})
    own = {key: value for key, value in changes.items() if value != run.setting(key)}
    typed = _from_defaults(run, changes, groups)
    if typed is None:
        folder = shell_path(run.directory.as_posix())
        typed = [f"--config-dir {folder} --config-name config", *_switched(run, groups)]
        typed += [_override(key, value) for key, value in own.items()]
    return " ".join(["sgdlab train", *typed])


def rounded(value: float) -> float:
    """Return a proposed value with two digits."""
    return float(f"{value:.2g}")


def _from_defaults(
    run: RunRecord, changes: Mapping[str, object], groups: Mapping[str, str]
) -> list[str] | None:
    """Return the overrides that make a run from the defaults; None where that is not known."""
    names: Mapping[str, str] = run.config.get("names") or {}
    if not names or run.config.get("import_from"):
        return None
    root, chosen = _defaults()
    overrides: list[str] = []
    wanted: dict[str, object] = {}
    implied = _implied(names.get("dataset", ""))
    for group, default in chosen.items():
        name = groups.get(group, names.get(group, default))
        member = _member(group, name)
        if member is None:
            return None
        if name != implied.get(group, default):
            overrides.append(f"{group}={name}")
        if group not in groups:
            section = cast("Mapping[str, Any]", run.config.get(group) or {})
            wanted |= _differing(group, section, member)
        elif group == "schedule":  # what all schedules share is kept
            wanted |= {
                f"schedule.{key}": value
                for key in ("warmup_epochs", "warmup_steps")
                if (value := run.setting(f"schedule.{key}")) and value != member.get(key)
            }
    wanted.pop("optimizer.lr", None)
    optimizer = _member("optimizer", names.get("optimizer", "")) or {}
    settings = {
        key: value
        for key, value in run.config.items()
        if key not in _LABELS and key not in chosen and key != "lr"
    }
    wanted |= _differing("", settings, {k: v for k, v in root.items() if k not in chosen})
    if run.config.get("lr") != optimizer.get("lr"):
        wanted["lr"] = run.config.get("lr")
    wanted |= changes
    order = ("lr", *wanted)
    return overrides + [_override(k, wanted[k]) for k in dict.fromkeys(order) if k in wanted]


def _differing(
    group: str, section: Mapping[str, Any], default: Mapping[str, Any]
) -> dict[str, object]:
    """Return the values of a section that are not the default ones, by their keys."""
    prefix = f"{group}." if group else ""
    known, own = flatten(default), flatten(section)
    differing: dict[str, object] = {}
    for key, value in own.items():
        default_value = known.get(key)
        refers = isinstance(default_value, str) and "${" in default_value
        if key.startswith("_") or refers or (key in known and _same(value, default_value)):
            continue
        differing[prefix + key if key in known else f"+{prefix}{key}"] = value
    # A mapping whose default is null, such as lr_multipliers, is typed as a whole.
    for key in (key for key, value in known.items() if value is None):
        value: Any = section
        for part in key.split("."):
            value = (
                cast("Mapping[str, Any]", value).get(part) if isinstance(value, Mapping) else None
            )
        if isinstance(value, Mapping):
            for part in [name for name in differing if name.startswith(f"+{prefix}{key}.")]:
                del differing[part]
            differing[prefix + key] = cast("Mapping[str, Any]", value)
    return differing


def _same(one: object, other: object) -> bool:
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-12)
    return one == other


def _override(key: str, value: object) -> str:
    return shell_word(f"{key}={_typed(value)}")


def _typed(value: object) -> str:
    """Return a value as Hydra's command line reads it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        return "{" + ",".join(f"{key}:{_typed(item)}" for key, item in items) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_typed, cast("list[object]", value))) + "]"
    text = str(value)
    if text.startswith("["):  # a list that was flattened
        with contextlib.suppress(json.JSONDecodeError):
            return _typed(json.loads(text))
    return as_typed(text)


@lru_cache(maxsize=1)
def _defaults() -> tuple[dict[str, Any], dict[str, str]]:
    """Return the root keys of ``conf/train.yaml`` and the member that each group has there."""
    root = _load(conf_dir() / "train.yaml") or {}
    chosen: dict[str, str] = {}
    for entry in root.get("defaults", []):
        if isinstance(entry, dict):
            chosen |= {str(k): str(v) for k, v in cast("dict[str, Any]", entry).items() if v}
    return {key: value for key, value in root.items() if key != "defaults"}, chosen


@lru_cache(maxsize=64)
def _member(group: str, name: str) -> dict[str, Any] | None:
    content = _load(conf_dir() / group / f"{name}.yaml")
    return None if content is None else {k: v for k, v in content.items() if k != "defaults"}


@lru_cache(maxsize=64)
def _implied(dataset: str) -> dict[str, str]:
    """Return the members that a dataset brings along: a test problem its model."""
    content = _load(conf_dir() / "dataset" / f"{dataset}.yaml") or {}
    implied: dict[str, str] = {}
    for entry in content.get("defaults", []):
        if isinstance(entry, dict):
            for key, value in cast("dict[str, Any]", entry).items():
                group = key.removeprefix("override /").partition("@")[0]
                implied[group] = str(value)
    return implied


def _load(path: Path) -> dict[str, Any] | None:
    return (
        cast("dict[str, Any]", yaml.safe_load(path.read_text(encoding="utf-8")))
        if path.is_file()
        else None
    )


def _switched(run: RunRecord, groups: Mapping[str, str]) -> list[str]:
    """Return the overrides that put another member into a config that is whole already."""
    typed: list[str] = []
    for group, name in groups.items():
        typed.append(_override(f"++names.{group}", name))
        wanted = flatten(_member(group, name) or {})
        present = flatten(cast("Mapping[str, Any]", run.config.get(group) or {}))
        typed += [f"~{group}.{key}" for key in present if key not in wanted]
        typed += [
            _override(f"++{group}.{key}", value)
            for key, value in wanted.items()
            if not (key in present and (_same(present[key], value) or key.startswith("warmup")))
        ]
    return typed
