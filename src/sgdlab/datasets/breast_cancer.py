"""Diagnosis of breast tumours from measured cell nuclei."""

import torch

from sgdlab.datasets.base import Examples
from sgdlab.datasets.bundled import read_table


def breast_cancer() -> Examples:
    """Load scikit-learn's breast cancer data: 569 tumours, 30 features, malignant 0 or benign 1.

    Source: Wolberg, Street and Mangasarian (1995), UCI's Breast Cancer Wisconsin (Diagnostic).
    """
    table = torch.from_numpy(read_table("breast_cancer.csv", header=True))
    return Examples(table[:, :-1].float(), table[:, -1].long())
