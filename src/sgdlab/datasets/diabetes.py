"""Progression of diabetes after a year, from ten baseline variables."""

import torch

from sgdlab.datasets.base import Examples
from sgdlab.datasets.bundled import read_table


def diabetes() -> Examples:
    """Load scikit-learn's diabetes data: 442 patients, 10 features in their raw units.

    The target, 25 to 346, measures the disease's progression; the metric is rmse in its units.

    Source: Efron, Hastie, Johnstone and Tibshirani (2004), "Least angle regression".
    """
    x = torch.from_numpy(read_table("diabetes_data_raw.csv.gz", delimiter=None))
    y = torch.from_numpy(read_table("diabetes_target.csv.gz", delimiter=None))
    return Examples(x.float(), y.float())
