"""Whether folders of images are splits or classes, by their names."""

from collections.abc import Mapping, Sequence

from sgdlab.errors import InputError

PARTS = ("train", "val", "test")
"""The splits, in their order."""

_PART_OF = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


def part_of(name: str) -> str | None:
    """Return which of `PARTS` a folder holds by its name, in any capitals; None if it says none."""
    return _PART_OF.get(name.lower())


def are_splits(inner: Mapping[str, Sequence[str]], where: str) -> bool:
    """Say whether folders are splits, with folders of classes in them, rather than classes.

    Args:
        inner: The folders, with the names of the folders in each.
        where: What messages call the folder that holds them.

    Raises:
        InputError: Splits that are not complete, or that could as well be classes.
    """
    parts = [part_of(name) for name in inner]
    if not inner or None in parts:
        _require_classes_for_certain(inner, where)
        return False
    if "train" not in parts:
        raise InputError(f"{where}: {' and '.join(inner)}, but no train")
    if lacking := [name for name, folders in inner.items() if not folders]:
        raise InputError(
            f"{where}: {lacking[0]} has no folders of classes, so nobody knows what its images "
            f"show; sort them into {lacking[0]}/CLASS/, or move it elsewhere"
        )
    if len(set(parts)) < len(parts):
        raise InputError(f"{where}: {', '.join(inner)} are two for one split; keep one of them")
    return True


def _require_classes_for_certain(inner: Mapping[str, Sequence[str]], where: str) -> None:
    for name in (name for name in inner if "train" in name.lower()):
        alike = [o for o in inner if o != name and len({*inner[o]} & {*inner[name]}) > 1]
        if alike:
            raise InputError(
                f"{where}: {', '.join([name, *alike])} have folders of the same names: if they "
                "are splits, call them train, val and test, with nothing beside; if they are "
                f"classes, call {name} otherwise"
            )
