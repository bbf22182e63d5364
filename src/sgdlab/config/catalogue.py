"""The config tree: where it lies, which members a group has, and what they are.

Imports neither Hydra nor torch, so that ``--help``, ``list`` and error messages are quick.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path

from sgdlab.errors import InputError
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
