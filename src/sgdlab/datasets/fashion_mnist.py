"""Articles of clothing, in the format of MNIST."""

from sgdlab.datasets.base import Examples
from sgdlab.datasets.official import IDX_FILES, load


def fashion_mnist(*, root: str, download: bool) -> Examples:
    """Load FashionMNIST: 70,000 grey images ``[1, 28, 28]`` of 10 kinds of clothing.

    The 10,000 of the official test split stay the test split.

    Args:
        root: Folder of all downloads; the files are in its ``FashionMNIST/raw``.
        download: Fetch what is missing.

    Raises:
        InputError: The data cannot be had or read.

    Source: Xiao, Rasul and Vollgraf (2017).
    """
    return load("FashionMNIST", root, download, "FashionMNIST/raw", IDX_FILES)
