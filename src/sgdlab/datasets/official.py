"""Image datasets that torchvision downloads, with their official test split."""

import tarfile
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path

import torch
from torch import Tensor

from sgdlab.datasets.base import Examples
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


def load(
    kind: str,
    root: str,
    download: bool,
    folder: str,
    files: Sequence[str],
    *,
    named_splits: bool = False,
) -> Examples:
    """Load a class of `torchvision.datasets` whose ``data`` are bytes.

    Torchvision checks downloads against the published MD5 sums, and takes archives that lie in
    their place already for downloaded.

    Args:
        kind: The name of the class.
        root: Folder of all downloads; ``~`` is the home folder.
        download: Fetch what is missing.
        folder: The folder under ``root`` where the archives belong.
        files: The names of the archives.
        named_splits: The class takes ``split="train"`` where others take ``train=True``, and gives
            ``labels`` and images ``[n, channels, height, width]`` (SVHN).

    Returns:
        Images ``[n, channels, height, width]`` between 0 and 1, and the official test split.

    Raises:
        InputError: The data cannot be had or read; says where to put them by hand.
    """
    import torchvision.datasets  # here: it takes seconds that most runs do not need

    place = Path(root).expanduser()
    source = getattr(torchvision.datasets, kind)
    try:
        if named_splits:
            parts = [source(place, split=name, download=download) for name in ("train", "test")]
            train, test = ((_unit(part.data), _labels(part.labels)) for part in parts)
        else:
            parts = [source(place, train=flag, download=download) for flag in (True, False)]
            train, test = ((_images(part.data), _labels(part.targets)) for part in parts)
        return Examples(*train, test=test)
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
    return _unit(pixels)


def _unit(pixels: object) -> Tensor:
    return torch.as_tensor(pixels).float().div_(255).contiguous()


def _labels(targets: object) -> Tensor:
    return torch.as_tensor(targets).long()
