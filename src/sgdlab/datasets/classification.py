"""Gaussian clusters on the corners of a hypercube, of chosen difficulty."""

import torch

from sgdlab.datasets.base import Examples


def classification(
    *,
    n_samples: int,
    n_features: int,
    n_informative: int,
    n_redundant: int,
    n_classes: int,
    n_clusters_per_class: int,
    class_sep: float,
    flip_y: float,
    random_state: int,
) -> Examples:
    """Draw Gaussian clusters on the corners of a hypercube, some to each class.

    Args:
        n_samples: Examples of all classes together.
        n_features: Features; those neither informative nor redundant are pure noise.
        n_informative: Features that place the clusters.
        n_redundant: Features that are linear combinations of informative ones.
        n_classes: Classes.
        n_clusters_per_class: Clusters of each class;
            ``n_classes * n_clusters_per_class <= 2**n_informative``.
        class_sep: Half the edge of the hypercube: smaller is harder.
        flip_y: Fraction of the labels that are drawn anew at random.
        random_state: Seed of the data, apart from the seed of the run.

    Source: `sklearn.datasets.make_classification`, after Guyon (2003).
    """
    from sklearn.datasets import make_classification  # takes seconds: only its users wait

    x, y = make_classification(
        n_samples,
        n_features,
        n_informative=n_informative,
        n_redundant=n_redundant,
        n_classes=n_classes,
        n_clusters_per_class=n_clusters_per_class,
        class_sep=class_sep,
        flip_y=flip_y,
        random_state=random_state,
    )
    return Examples(torch.from_numpy(x).float(), torch.from_numpy(y).long())
