"""Digits of house numbers, cut from photos of streets."""

from sgdlab.datasets.base import Examples
from sgdlab.datasets.official import load


def svhn(*, root: str, download: bool) -> Examples:
    """Load SVHN: 99,289 photos ``[3, 32, 32]`` of 10 digits, 26,032 of them the test split.

    The label is the digit in the middle, 0 to 9; neighbours may be in the picture. The 531,131
    easier ones of the ``extra`` split are left out.

    Args:
        root: Folder of all downloads, where the files are.
        download: Fetch what is missing.

    Raises:
        InputError: The data cannot be had or read.

    Source: Netzer et al. (2011), "Reading digits in natural images with unsupervised feature
    learning".
    """
    files = ("train_32x32.mat", "test_32x32.mat")
    return load("SVHN", root, download, "", files, named_splits=True)
