"""Image datasets that torchvision downloads, with their official test split."""

import tarfile
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path

import torch
from torch import Tensor

from sgdlab.datasets.base import Examples
from sgdlab.datasets.torchvision_compat import import_torchvision
from sgdlab.errors import InputError, one_line

IDX_FILES = tuple(
    f"{part}-{kind}-ubyte.gz"
    for part in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
)
"""The archives of MNIST and of what took over its format."""

_FAILURES = (
    OSError, HTTPException, RuntimeError, EOFError, tarfile.TarError,
    ValueError, TypeError, LookupError, AssertionError,  # what a broken file gives, by its damage
)  # fmt: skip


def load(kind: str, root: str, download: bool, folder: str, files: Sequence[str]) -> Examples:
    """Load a class of `torchvision.datasets` whose ``data`` are bytes.

    Torchvision checks downloads against the published MD5 sums, and takes archives that lie in
    their place already for downloaded.

    Args:
        kind: The name of the class.
        root: Folder of all downloads; ``~`` is the home folder.
        download: Fetch what is missing.
        folder: The folder under ``root`` where the archives belong.
        files: The names of the archives.

    Returns:
        Images ``[n, channels, height, width]`` between 0 and 1, and the official test split.

    Raises:
        InputError: The data cannot be had or read; says where to put them by hand.
    """
    place = Path(root).expanduser()
    source = getattr(import_torchvision(), kind)
    try:
        train, test = (source(place, train=flag, download=download) for flag in (True, False))
        return Examples(
            _images(train.data), _labels(train.targets),
            test=(_images(test.data), _labels(test.targets)),
        )  # fmt: skip
    except _FAILURES as error:
        reason = one_line(error) or type(error).__name__
        raise InputError(
            f"cannot load {kind}: {reason[:300].rstrip('. ')}; put {', '.join(files)} "
            f"into {place / folder} by hand (remove broken files there), or set dataset.root"
        ) from error


def _images(data: object) -> Tensor:
    pixels = torch.as_tensor(data)
    # Grey images come as [n, height, width], coloured ones as [n, height, width, channels].
    pixels = pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)
    return pixels.float().div_(255).contiguous()


def _labels(targets: object) -> Tensor:
    return torch.as_tensor(targets).long()
