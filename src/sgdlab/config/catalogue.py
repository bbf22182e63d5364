"""The config tree: where it lies, which members a group has, and what they are.

Imports neither Hydra nor torch, so that ``--help``, ``list`` and error messages are quick.
"""

import itertools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from sgdlab.errors import InputError, nearest, suggest
from sgdlab.startup import conf_dir

SEVERAL = ("logger",)
"""Groups of which several members may be chosen at once; of all others one is."""


def groups() -> list[str]:
    """Return the config groups of a run, sorted."""
    return sorted(p.name for p in conf_dir().iterdir() if p.is_dir() and p.name != "hydra")


def members(group: str, own: Path | None = None) -> dict[str, str]:
    """Return the members of a group and the line that describes each.

    The description is the comment in the first line of the YAML file, Hydra's directives aside.

    Args:
        group: The name of a folder in ``conf``.
        own: The user's config folder, whose members come after the shipped ones.
    """
    found = _described(conf_dir() / group)
    return found if own is None else found | _described(own / group)


_ELSEWHERE = re.compile(r"^# Elsewhere: (.*)$", re.MULTILINE)
"""The line of a member's YAML that says what it is called in other tools."""


def members_meant(
    group: str, name: str, own: Path | None = None, known: Iterable[str] | None = None
) -> list[str]:
    """Return the members that a name which is none may mean, best first; none: nothing is near.

    What a member is called elsewhere counts before what resembles the name; of a member in a folder
    of the group, ``lessons/lr_gap``, the last part will do.

    Args:
        group: The group.
        name: The name as it was typed.
        own: The user's config folder.
        known: Its members; by default those of sgdlab and the user.
    """
    names = list(members(group, own) if known is None else known)
    for root in (conf_dir(), *([] if own is None else [own])):
        for member in names:
            file = root / group / f"{member}.yaml"
            text = file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
            said = _ELSEWHERE.search(text)
            if said and name.casefold() in said[1].casefold().split(", "):
                return [member]
    leaves = {member.rpartition("/")[2]: member for member in names}
    by_leaf = [leaves[leaf] for leaf in nearest(name.rpartition("/")[2], leaves)]
    return by_leaf or nearest(name, names)


def suggest_member(
    group: str, name: str, own: Path | None = None, known: Iterable[str] | None = None
) -> str:
    """Say which member a name that is none may have meant, else which there are; as `suggest`."""
    names = list(members(group, own) if known is None else known)
    if inside := [member for member in names if member.startswith(f"{name}/")]:
        return f"a folder of members; valid: {', '.join(inside)}"
    if meant := members_meant(group, name, own, names):
        return f"did you mean {' or '.join(meant)}?"
    return suggest(name, names)


def _described(root: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*.yaml")):
        lines = path.read_text(encoding="utf-8", errors="backslashreplace").splitlines() or [""]
        first = next((line for line in lines if not line.startswith("# @")), "")
        name = path.relative_to(root).with_suffix("").as_posix()
        found[name] = first.lstrip("# ").strip() if first.startswith("#") else ""
    return found


def refuse_shadowed(folder: Path) -> None:
    """Refuse a user's config folder that has a file of the same name as one of ours.

    Hydra would silently ignore the user's file.

    Raises:
        InputError: The folder hides a file of ours, or does not exist; says what to do.
    """
    if not folder.is_dir():
        raise InputError(f"--config-dir {folder}: no such folder")
    # Members may lie in folders of their own (experiment/lessons); at the top our configs do not.
    found = [sorted((folder / group).rglob("*.yaml")) for group in (*groups(), "hydra")]
    for path in itertools.chain(*found, sorted(folder.glob("*.yaml"))):
        relative = path.relative_to(folder)
        if (conf_dir() / relative).is_file():
            raise InputError(
                f"{path}: sgdlab ships {relative.with_suffix('').as_posix()}, which would hide it; "
                f"rename it, for example to {path.stem}_mine.yaml"
            )


def is_of_one(group: str) -> bool:
    """Say whether it is a group, or a folder of one, of which one member is chosen."""
    name = group.partition("/")[0]
    return name in groups() and name not in SEVERAL


def takes_one(group: str, names: Sequence[str], *, sweeps: bool = True) -> str:
    """Say that a group takes one name, not a list of them, and how several are given.

    Args:
        group: The group, or a folder of it.
        names: What was given as a list.
        sweeps: Whether the command has ``-m``.
    """
    one = f"takes one name; write {group}={names[0] if names else 'NAME'}"
    others = sorted({*members(group), *names} - set(names[:1]))
    several = [*names, *others[:1]][:2] if len(names) < 2 else names
    return f"{one} (several: -m {group}={','.join(several)})" if sweeps and names else one
