"""A column of images in datasets of Hugging Face, as arrays or decoded for each batch."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from sgdlab.datasets.image_decoding import PixelFormat, decode, read_header
from sgdlab.datasets.image_form import form_of, require_form
from sgdlab.datasets.images import BYTES
from sgdlab.datasets.memory import half_of_free
from sgdlab.errors import InputError, one_line

_BATCH = 256


class Pictures(Dataset[Any]):
    """Images that are decoded each time that they are asked for, with their targets.

    Args:
        part: A dataset whose column holds images as bytes.
        column: The name of the column.
        form: What every image becomes.
        where: What messages call the column.
    """

    def __init__(self, part: Any, column: str, form: PixelFormat, where: str) -> None:
        self._part, self._column, self._form, self._where = part, column, form, where
        self._targets = torch.zeros(len(part))
        self.classes: Sequence[str] | None = None
        self.notes: list[str] = []
        self.unread = True
        """Decoded for each batch: all together were too large."""

    def with_targets(
        self, targets: Tensor, classes: Sequence[str] | None, notes: list[str]
    ) -> "Pictures":
        """Return the images with what is to be learned of them."""
        self._targets, self.classes, self.notes = targets, classes, notes
        return self

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._part)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        """Return an image ``[channels, height, width]`` and its target."""
        row = int(row)
        held = self._part[row][self._column]
        pixels = _pixels(held, row, self._form, self._where)
        return torch.from_numpy(pixels), self._targets[row]


def pictures_of(
    parts: dict[str, Any], column: str, size: Any, channels: int | None, where: str
) -> dict[str, np.ndarray] | dict[str, Pictures]:
    """Return the images of all splits: decoded where that fits into memory, else to be decoded.

    Args:
        parts: Datasets of Hugging Face by split.
        column: The column of images.
        size: Height and width; None: that of all images.
        channels: 1 or 3; None: 1 if no image has colours.
        where: What messages call the column.

    Returns:
        uint8 ``[n, channels, height, width]`` by split, or what decodes them.

    Raises:
        InputError: Images that cannot be read or are of different sizes.
    """
    from datasets import Image

    require_form(size, channels)
    kept = {
        name: part.with_format(None).select_columns([column]).cast_column(
            column, Image(decode=False)
        )
        for name, part in parts.items()
    }  # fmt: skip
    headers = [
        _read(read_header, held, row, where) for part in kept.values()
        for row, held in enumerate(_held(part, column))
    ]  # fmt: skip
    names = [f"row {row} of {name}" for name, part in kept.items() for row in range(len(part))]
    form = form_of(headers, names, size, channels, where)
    if len(headers) * math.prod(form.shape) * BYTES > half_of_free():
        return {name: Pictures(part, column, form, where) for name, part in kept.items()}
    with ThreadPoolExecutor() as pool:
        return {
            name: np.stack(list(pool.map(
                lambda pair: _pixels(pair[1], pair[0], form, where),
                enumerate(_held(part, column)),
            )))
            for name, part in kept.items()
        }  # fmt: skip


def _held(part: Any, column: str) -> Iterator[Any]:
    """Yield what the rows hold: a mapping of bytes and path."""
    for rows in part.iter(batch_size=_BATCH):
        yield from rows[column]


def _pixels(held: Any, row: int, form: PixelFormat, where: str) -> np.ndarray:
    return np.array(_read(lambda raw: decode(raw, form).pixels, held, row, where))


def _read(read: Any, held: Any, row: int, where: str) -> Any:
    try:
        if held is None:
            raise ValueError("missing")
        raw = held["bytes"]
        if raw is None:
            with open(held["path"], "rb") as file:
                raw = file.read()
        return read(raw)
    except Exception as error:
        raise InputError(f"{where}, row {row}: {one_line(error) or 'no image'}") from error
