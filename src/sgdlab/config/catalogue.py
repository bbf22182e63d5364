"""The config tree: where it lies, which members a group has, and what they are.

Imports neither Hydra nor torch, so that ``--help``, ``list`` and error messages are quick.
"""

from collections.abc import Iterable
from pathlib import Path

from sgdlab.errors import InputError


def conf_dir() -> Path:
    """Return the folder of the shipped configs: inside the wheel, or beside ``src``."""
    here = Path(__file__).resolve().parents[1]
    packaged = here / "conf"
    return packaged if packaged.is_dir() else here.parents[1] / "conf"


def groups() -> list[str]:
    """Return the config groups of a run, sorted."""
    return sorted(p.name for p in conf_dir().iterdir() if p.is_dir() and p.name != "hydra")


def members(group: str) -> dict[str, str]:
    """Return the members of a group and the line that describes each.

    The description is the comment in the first line of the YAML file, Hydra's directives aside.

    Args:
        group: Folder name in ``conf``.
    """
    found: dict[str, str] = {}
    root = conf_dir() / group
    for path in sorted(root.rglob("*.yaml")):
        lines = path.read_text().splitlines() or [""]
        first = next((line for line in lines if not line.startswith("# @")), "")
        name = path.relative_to(root).with_suffix("").as_posix()
        found[name] = first.lstrip("# ").strip() if first.startswith("#") else ""
    return found


def refuse_shadowed(folder: Path) -> None:
    """Refuse a user's config folder that has a file of the same name as one of ours.

    Hydra would silently ignore the user's file.

    Raises:
        InputError: Names the file and a way out; or the folder does not exist.
    """
    if not folder.is_dir():
        raise InputError(f"--config-dir {folder}: no such folder")
    for path in _yaml_files(folder, (*groups(), "hydra", "")):
        relative = path.relative_to(folder)
        if (conf_dir() / relative).is_file():
            raise InputError(
                f"{path}: sgdlab ships {relative.with_suffix('').as_posix()}, which would hide it; "
                f"rename it, for example to {path.stem}_mine.yaml"
            )


def _yaml_files(folder: Path, names: Iterable[str]) -> list[Path]:
    # Members may lie in folders of their own (experiment/lessons); at the top our configs do not.
    return [
        path
        for name in names
        for path in sorted((folder / name).glob("**/*.yaml" if name else "*.yaml"))
    ]
