"""Old Japanese handwriting, in the format of MNIST."""

from sgdlab.datasets.base import Examples
from sgdlab.datasets.official import IDX_FILES, load


def kmnist(*, root: str, download: bool) -> Examples:
    """Load Kuzushiji-MNIST: 70,000 grey images ``[1, 28, 28]`` of 10 cursive hiragana.

    The 10,000 of the official test split stay the test split.

    Args:
        root: Folder of all downloads; the files are in its ``KMNIST/raw``.
        download: Fetch what is missing.

    Raises:
        InputError: The data cannot be had or read.

    Source: Clanuwat et al. (2018), "Deep learning for classical Japanese literature".
    """
    return load("KMNIST", root, download, "KMNIST/raw", IDX_FILES)
