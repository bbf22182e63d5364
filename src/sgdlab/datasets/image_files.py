"""Images on disk: their headers and pixels, read by several threads, or one by one."""

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import UnidentifiedImageError
from torch import Tensor
from torch.utils.data import Dataset

from sgdlab.datasets.image_decoding import Decoded, PixelFormat, decode
from sgdlab.datasets.image_folders import ImageFile
from sgdlab.errors import InputError, one_line
from sgdlab.startup import processors

T = TypeVar("T")


class ImageFiles(Dataset[tuple[Tensor, int]]):
    """Images that are decoded each time that they are asked for, with their classes.

    Attributes:
        files: The images.
        classes: Names of the classes.
        form: What every image becomes.
        notes: What is done to make the images, a line each.
    """

    def __init__(
        self,
        files: Sequence[ImageFile],
        classes: Sequence[str],
        form: PixelFormat,
        notes: Sequence[str],
    ) -> None:
        self.files = files
        self.classes = classes
        self.form = form
        self.notes = notes
        self.unread = True
        """Decoded for each batch: all together were too large."""

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        """Return an image ``[channels, height, width]`` and the number of its class.

        Raises:
            InputError: The file has become damaged.
        """
        file = self.files[index]
        try:
            pixels = decode(file.path, self.form).pixels
        except Exception as error:
            raise InputError(f"{file.name}: damaged: {reason_of(error, file.path)}") from error
        return torch.from_numpy(np.array(pixels)), file.label


def read_all(
    read: Callable[[Path], T], files: Sequence[ImageFile]
) -> tuple[list[T | None], dict[str, str]]:
    """Call a function for each file, several at a time.

    Args:
        read: Reads a file; whatever it raises is taken for damage.
        files: The files.

    Returns:
        What it returned, in the order of the files, None for those that are damaged; and the
        reason of each of those by its name.
    """

    def attempt(file: ImageFile) -> tuple[T | None, str]:
        try:
            return read(file.path), ""
        except Exception as error:
            return None, reason_of(error, file.path)

    # What Pillow warns of, odd metadata above all, it has got over.
    with warnings.catch_warnings(action="ignore"), ThreadPoolExecutor(processors()) as pool:
        found = list(pool.map(attempt, files))
    reasons = {file.name: why for file, (_, why) in zip(files, found, strict=True) if why}
    return [value for value, _ in found], reasons


def reason_of(error: Exception, path: Path) -> str:
    """Return why a file cannot be read, in a few words without its path."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnidentifiedImageError):
        return "empty file" if path.stat().st_size == 0 else "no image that Pillow knows"
    return one_line(error) or type(error).__name__


def decode_all(
    files: Sequence[ImageFile], form: PixelFormat, keep: bool
) -> tuple[Any, list[Decoded | None], dict[str, str]]:
    """Decode all images.

    Args:
        files: The images.
        form: What every image becomes.
        keep: Whether to keep the pixels, rather than to see only whether they can be had.

    Returns:
        Pixels ``[n, channels, height, width]``, of no use in the rows of damaged files, or None;
        what is known of each image, without pixels; and the reason of each damage, by name.
    """
    pixels = np.zeros((len(files), *form.shape), form.dtype) if keep else None
    rows = {file.path: row for row, file in enumerate(files)}

    def read(path: Path) -> Decoded:
        decoded = decode(path, form)
        if pixels is not None:
            pixels[rows[path]] = decoded.pixels
        return Decoded(np.empty(0), decoded.digest, decoded.transparent)

    found, reasons = read_all(read, files)
    return pixels, found, reasons
