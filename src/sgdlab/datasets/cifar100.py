"""Small colour photos of a hundred kinds of things."""

from sgdlab.datasets.base import Examples
from sgdlab.datasets.official import load


def cifar100(*, root: str, download: bool) -> Examples:
    """Load CIFAR-100: 60,000 photos ``[3, 32, 32]`` of 100 classes, 10,000 of them the test split.

    The labels are the fine ones, not the 20 superclasses.

    Args:
        root: Folder of all downloads; the files are in its ``cifar-100-python``.
        download: Fetch what is missing.

    Raises:
        InputError: The data cannot be had or read.

    Source: Krizhevsky (2009), "Learning multiple layers of features from tiny images".
    """
    return load("CIFAR100", root, download, "", ("cifar-100-python.tar.gz",))
