"""The threes and sevens of MNIST: two classes that are almost linearly separable."""

import torch
from torch import Tensor

from sgdlab.datasets.base import Examples
from sgdlab.datasets.mnist import mnist


def mnist_3v7(*, root: str, download: bool) -> Examples:
    """Load the 3s and 7s of MNIST, 14,434 grey images ``[1, 28, 28]`` of 2 classes.

    Class 0 is the digit 3 and class 1 the digit 7; 2,038 images are in the official test split,
    which stays the test split.

    Args:
        root: Folder of all downloads; the files are in its ``MNIST/raw``.
        download: Fetch what is missing.

    Raises:
        InputError: The data cannot be had or read.

    Source: LeCun, Bottou, Bengio and Haffner (1998).
    """
    loaded = mnist(root=root, download=download)
    test = None if loaded.test is None else _of_two(*loaded.test)
    return Examples(*_of_two(loaded.x, loaded.y), test=test, classes=("3", "7"))


def _of_two(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    kept = torch.isin(y, torch.tensor([3, 7]))
    return x[kept], (y[kept] == 7).long()
