"""Handwritten digits of the US census and of students."""

from sgdlab.datasets.base import Examples
from sgdlab.datasets.official import IDX_FILES, load


def mnist(*, root: str, download: bool) -> Examples:
    """Load MNIST: 70,000 grey images ``[1, 28, 28]`` of 10 digits.

    The 10,000 of the official test split stay the test split.

    Args:
        root: Folder of all downloads; the files are in its ``MNIST/raw``.
        download: Fetch what is missing.

    Raises:
        InputError: The data cannot be had or read.

    Source: LeCun, Bottou, Bengio and Haffner (1998).
    """
    return load("MNIST", root, download, "MNIST/raw", IDX_FILES)
