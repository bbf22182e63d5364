"""Small colour photos of animals and vehicles."""

from sgdlab.datasets.base import Examples
from sgdlab.datasets.official import load


def cifar10(*, root: str, download: bool) -> Examples:
    """Load CIFAR-10: 60,000 photos ``[3, 32, 32]`` of 10 classes, 10,000 of them the test split.

    Args:
        root: Folder of all downloads; the files are in its ``cifar-10-batches-py``.
        download: Fetch what is missing.

    Raises:
        InputError: The data cannot be had or read.

    Source: Krizhevsky (2009), "Learning multiple layers of features from tiny images".
    """
    return load("CIFAR10", root, download, "", ("cifar-10-python.tar.gz",))
