"""The keys of a command as its YAML tells them: default and comment, read from the file's text."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from sgdlab.config.catalogue import groups
from sgdlab.startup import conf_dir

_KEY = re.compile(r"( *)([A-Za-z_]\w*):(?: +(.*))?")
_NO_SETTINGS = ("defaults", "hydra")


@dataclass(frozen=True)
class KeyDoc:
    """A key as a person types it.

    Attributes:
        key: The dotted key, such as ``split.val``; or a group.
        default: Its value in the YAML, as it is typed; empty for a section.
        comment: The lines above it, as one.
    """

    key: str
    default: str
    comment: str


@functools.cache
def key_docs(config: str) -> Mapping[str, KeyDoc]:
    """Return the keys of a primary config by name, those of the configs that it builds on first.

    A group that its ``defaults`` choose from is a key, with the member as its default.

    Args:
        config: The name of a file in ``conf``, such as ``compare``.
    """
    text = (conf_dir() / f"{config}.yaml").read_text(encoding="utf-8")
    found: dict[str, KeyDoc] = {}
    for entry in _defaults(text):
        if isinstance(entry, str) and (conf_dir() / f"{entry}.yaml").is_file():
            found |= key_docs(entry)
    return found | _of_groups(text) | _in_text(text)


def _defaults(text: str) -> list[Any]:
    read = cast("dict[str, Any]", yaml.safe_load(text))
    return list(read.get("defaults", ()))


def _of_groups(text: str) -> dict[str, KeyDoc]:
    """Return the groups of a ``defaults`` list, and the keys of the members that it chooses."""
    comments = {
        match[2]: match[1].strip()
        for match in re.finditer(r"^ +#(.*)\n +- (\w+): ", text, re.MULTILINE)
    }
    found: dict[str, KeyDoc] = {}
    for entry in _defaults(text):
        (group, member), *_ = entry.items() if isinstance(entry, dict) else [("", None)]
        if group not in groups():
            continue
        found[group] = KeyDoc(group, member or "null", comments.get(group, ""))
        if member is not None:
            own = conf_dir() / group / f"{member}.yaml"
            prefix = (
                ""
                if own.read_text(encoding="utf-8").startswith("# @package _global_")
                else f"{group}."
            )
            for key, doc in keys_in(own).items():
                found[f"{prefix}{key}"] = KeyDoc(f"{prefix}{key}", doc.default, doc.comment)
    return found


def keys_in(member: Path) -> dict[str, KeyDoc]:
    """Return the keys of the file of a member that a person sets, without its group."""
    text = member.read_text(encoding="utf-8", errors="backslashreplace")
    return {key: doc for key, doc in _in_text(text).items() if not key.startswith("_")}


def takes_list(config: str, key: str, chosen: Sequence[str], own: Path | None = None) -> bool:
    """Say whether a key takes a list, as its YAML tells: by its value, or by its comment's example.

    Args:
        config: The name of a file in ``conf``.
        key: The dotted key.
        chosen: The members that are chosen, as overrides.
        own: The user's config folder.
    """
    group, _, leaf = key.partition(".")
    member = next((m for g, _, m in (c.partition("=") for c in chosen[::-1]) if g == group), None)
    files = [root / group / f"{member}.yaml" for root in (own, conf_dir()) if root and leaf]
    file = next((each for each in files if each.is_file()), None)
    doc = key_docs(config).get(key) if file is None else keys_in(file).get(leaf)
    return doc is not None and (
        doc.default.startswith("[") or (doc.default == "null" and "[" in doc.comment)
    )


def _in_text(text: str) -> dict[str, KeyDoc]:
    """Return the keys of a YAML of plain values, each with the comment right above it."""
    found: dict[str, KeyDoc] = {}
    inside: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            comment.append(line.lstrip().removeprefix("#").strip())
        elif match := _KEY.fullmatch(line):
            indent, name, default = len(match[1]), match[2], match[3] or ""
            inside = [(depth, key) for depth, key in inside if depth < indent]
            if not (indent == 0 and name in _NO_SETTINGS) and not _is_apart(inside):
                key = ".".join([*(key for _, key in inside), name])
                found[key] = KeyDoc(key, default, " ".join(comment))
            inside.append((indent, name))
            comment = []
        else:
            comment = []
    return found


def _is_apart(inside: list[tuple[int, str]]) -> bool:
    return bool(inside) and inside[0][1] in _NO_SETTINGS


def header_of(config: str) -> str:
    """Return the sentence that says what the command of a primary config does."""
    for name in (f"{config}.yaml", f"{config}_app.yaml", "hydra/help/sgdlab.yaml"):
        if (file := conf_dir() / name).is_file():
            found = cast("dict[str, Any]", yaml.safe_load(file.read_text(encoding="utf-8")))
            said = found.get("header") or found.get("hydra", {}).get("help", {}).get("header")
            if said:
                return " ".join(said.split())
    raise LookupError(f"no sentence says what {config} does")
