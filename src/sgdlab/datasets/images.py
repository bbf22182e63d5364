"""Photos of your own: a folder with a folder of each class."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from sgdlab.checks import bytes_of, require_one_of
from sgdlab.datasets.base import Examples
from sgdlab.datasets.image_decoding import Decoded, PixelFormat, read_header
from sgdlab.datasets.image_files import ImageFiles, decode_all, read_all
from sgdlab.datasets.image_folders import ImageFile, find_images, require_images, some
from sgdlab.datasets.image_form import form_of, require_form
from sgdlab.datasets.image_notes import note_of_changes, notes_of_copies
from sgdlab.datasets.image_splits import PARTS
from sgdlab.datasets.memory import half_of_free
from sgdlab.errors import InputError

BYTES = 12
"""Bytes of a pixel while splits are made: as it was decoded, as float32, and standardised."""

T = TypeVar("T")


def images(
    *,
    path: str,
    size: int | Sequence[int] | None,
    channels: int | None,
    damaged: str,
    group: str | None,
    max_memory: Any,
) -> Examples | ImageFiles | tuple[ImageFiles, ...]:
    """Load the images of a folder of classes, decoded once, by several threads.

    What is read: all that Pillow reads, upright by EXIF, in any mode; see
    `sgdlab.datasets.image_decoding.decode`. What is found: see
    `sgdlab.datasets.image_folders.find_images`. Images of the same pixels are counted: where a
    test split has images of training, the score is that of a memory.

    Args:
        path: The folder; ``~`` is the home folder.
        size: Height and width of the inputs; one number for squares; None: that of all images.
        channels: 1 or 3; None: 1 if no image has colours by its format or its palette, else 3.
        damaged: ``refuse`` files that cannot be read, or ``skip`` them.
        group: ``folder``: images of one folder inside a class share a split; ``copies``: those of
            the same pixels do; None: nothing does.
        max_memory: Bytes that the images may take, 12 a pixel and channel while splits are made.

    Returns:
        Examples with uint8 images ``[n, channels, height, width]``, float32 ones on the same scale
        where files have 16 bits; or, where they would take more than ``max_memory``, a
        dataset that decodes when asked, or ``(train, test)`` or ``(train, val, test)``.

    Raises:
        InputError: The folder, a file or a setting cannot be used; one line says which.
    """
    where = f"dataset.path={path}"
    if not str(path).strip():
        raise InputError(f"{where}: must be a folder")
    require_form(size, channels)
    _require(damaged, group)
    limit = half_of_free() if max_memory is None else bytes_of("dataset.max_memory", max_memory)
    folder = find_images(Path(str(path)).expanduser(), where)
    if group == "folder" and all(file.folder == file.name for file in folder.files):
        raise InputError(f"dataset.group=folder: no folders inside the classes of {path}")
    headers, unread = read_all(read_header, folder.files)
    files, headers = _sound(folder.files, headers, unread, damaged, where)
    form = form_of(headers, [file.name for file in files], size, channels, where)
    fits = len(files) * math.prod(form.shape) * BYTES <= limit
    pixels, images, broken = decode_all(files, form, keep=fits)
    kept, images = _sound(files, images, broken, damaged, where)
    for part in {file.part for file in folder.files}:
        require_images(kept, folder.classes, part, where, [*unread, *broken])
    reasons = unread | broken
    heads = [head for file, head in zip(files, headers, strict=True) if file.name not in broken]
    notes = [
        *notes_of_copies(kept, images),
        *([f"left out: {_named(reasons)}"] if reasons else []),
        *folder.notes,
        *note_of_changes(heads, images, form),
    ]
    if pixels is None:
        return _read_again(kept, folder.classes, form, notes, group, where)
    x = torch.from_numpy(pixels)
    if broken:
        x = x[[row for row, file in enumerate(files) if file.name not in broken]]
    return _examples(kept, images, x, folder.classes, group, notes)


def _require(damaged: str, group: Any) -> None:
    require_one_of("dataset.damaged", damaged, ("refuse", "skip"))
    if group is not None:
        require_one_of("dataset.group", group, ("folder", "copies"))


def _sound(
    files: Sequence[ImageFile],
    found: Sequence[T | None],
    reasons: Mapping[str, str],
    damaged: str,
    where: str,
) -> tuple[list[ImageFile], list[T]]:
    """Return the files that could be read, with what was found; or refuse the others."""
    if reasons and damaged == "refuse":
        remedy = "mend or remove them, or set dataset.damaged=skip"
        raise InputError(f"{where}: {_named(reasons)}; {remedy}")
    sound = [(file, value) for file, value in zip(files, found, strict=True) if value is not None]
    return [file for file, _ in sound], [value for _, value in sound]


def _named(reasons: Mapping[str, str]) -> str:
    return some([f"{name}: {why}" for name, why in reasons.items()], "damaged")


def _examples(
    files: Sequence[ImageFile],
    images: Sequence[Decoded],
    x: Tensor,
    classes: Sequence[str],
    group: str | None,
    notes: Sequence[str],
) -> Examples:
    y = torch.tensor([file.label for file in files])
    rows = {part: [row for row, f in enumerate(files) if f.part == part] for part in PARTS}
    own = {part: (x[found], y[found]) if found else None for part, found in rows.items()}
    train = (x, y) if len(rows["train"]) == len(files) else own["train"]
    assert train is not None
    shared = {
        "folder": [file.folder for file in files],
        "copies": [image.digest for image in images],
    }
    return Examples(
        *train,
        task="classification",
        val=own["val"],
        test=own["test"],
        group=group and [shared[group][row] for row in rows["train"]],
        classes=classes,
        notes=notes,
    )


def _read_again(
    files: Sequence[ImageFile],
    classes: Sequence[str],
    form: PixelFormat,
    notes: Sequence[str],
    group: str | None,
    where: str,
) -> ImageFiles | tuple[ImageFiles, ...]:
    """Return datasets that decode when asked, of every split that has a folder."""
    parts = {part: [file for file in files if file.part == part] for part in PARTS}
    if group is not None or (parts["val"] and not parts["test"]):
        what = f"dataset.group={group}" if group else "val/ without test/"
        raise InputError(f"{where}: {what} needs images in memory; raise dataset.max_memory")
    made = [ImageFiles(found, classes, form, notes) for found in parts.values() if found]
    return made[0] if len(made) == 1 else tuple(made)
