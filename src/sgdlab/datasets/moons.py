"""Two interleaving half circles."""

import torch

from sgdlab.datasets.base import Examples


def moons(*, n_samples: int, noise: float, random_state: int) -> Examples:
    """Draw two interleaving half circles in the plane, a class each.

    Args:
        n_samples: Points of both classes together.
        noise: Standard deviation of the normal noise on each coordinate; the radius is 1.
        random_state: Seed of the data, apart from the seed of the run.

    Source: `sklearn.datasets.make_moons`.
    """
    from sklearn.datasets import make_moons  # takes seconds: only those who use it wait

    x, y = make_moons(n_samples, noise=noise, random_state=random_state)
    return Examples(torch.from_numpy(x).float(), torch.from_numpy(y).long())
