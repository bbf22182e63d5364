"""Cultivar of Italian wines from their chemical analysis."""

import torch

from sgdlab.datasets.base import Examples
from sgdlab.datasets.bundled import read_table


def wine() -> Examples:
    """Load scikit-learn's wine data: 178 wines, 13 features, 3 cultivars.

    Source: Aeberhard and Forina (1992), UCI's Wine.
    """
    table = torch.from_numpy(read_table("wine_data.csv", header=True))
    return Examples(table[:, :-1].float(), table[:, -1].long())
