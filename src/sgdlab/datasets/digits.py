"""Handwritten digits of 43 people, as images of 8 by 8 pixels."""

import torch

from sgdlab.datasets.base import Examples
from sgdlab.datasets.bundled import read_table


def digits() -> Examples:
    """Load scikit-learn's digits: 1,797 grey images ``[1, 8, 8]`` of 10 classes.

    Pixels count the ink in blocks of 4 by 4, 0 to 16, here divided by 16.

    Source: Alpaydin and Kaynak (1998), the test part of UCI's Optical Recognition of Handwritten
    Digits.
    """
    table = torch.from_numpy(read_table("digits.csv.gz"))
    return Examples((table[:, :-1] / 16).float().reshape(-1, 1, 8, 8), table[:, -1].long())
