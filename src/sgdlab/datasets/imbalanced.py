"""Gaussian classes whose frequencies fall as those of words do."""

import numpy as np
import torch

from sgdlab.checks import require_number, require_whole
from sgdlab.datasets.base import Examples
from sgdlab.datasets.zipf import zipf_counts
from sgdlab.errors import InputError


def imbalanced(
    *,
    n_samples: int,
    n_features: int,
    n_classes: int,
    exponent: float,
    separation: float,
    random_state: int,
) -> Examples:
    """Draw Gaussian classes with the frequencies ``p_k ∝ 1 / k^exponent``, ``k = 1, 2, …``.

    Rare classes together have many of the examples, as rare words have of a text. Gradient descent
    is slow on them and Adam is not, with a linear model already: the simplest case in which Adam
    leads as it does on language.

    Class ``k`` has the mean ``separation · u_k`` with a random direction ``u_k`` of length 1, and
    unit covariance: ``x = separation · u_k + z`` with ``z ~ N(0, I)``. Its number of examples is
    the rounding of ``n_samples · p_k`` (largest remainders), but at least 3, so that there is one
    for each split: the frequencies are those of the formula, not a draw. With equal covariances
    the best classifier is linear (Fisher 1936); with ``n_features`` well above ``n_samples`` a
    linear model fits all examples.

    Args:
        n_samples: Examples of all classes together, at least 3 of each.
        n_features: Features; more make directions of classes more nearly orthogonal.
        n_classes: Classes, from 2; label 0 is the most frequent.
        exponent: 0.0: all alike; 1.0: Zipf's law, where about as many examples belong to class 1,
            to classes 2 and 3, to classes 4 to 7, and so on.
        separation: Length of a class's mean, in standard deviations of a feature.
        random_state: Seed of the data, apart from the seed of the run.

    Raises:
        InputError: An impossible setting.

    Source: Kunstner, Yadav, Milligan, Schmidt and Bietti (2024), "Heavy-tailed class imbalance and
    why Adam outperforms gradient descent on language models".
    """
    classes = require_whole("dataset.n_classes", n_classes, 2)
    count = require_whole("dataset.n_samples", n_samples)
    width = require_whole("dataset.n_features", n_features)
    power = require_number("dataset.exponent", exponent)
    length = require_number("dataset.separation", separation)
    random = np.random.RandomState(require_whole("dataset.random_state", random_state, 0))
    if count < 3 * classes:
        raise InputError(
            f"dataset.n_samples={count}: at least 3 for each of dataset.n_classes={classes}, "
            f"which is {3 * classes}: one for each split"
        )
    means = random.standard_normal((classes, width))
    means *= length / np.linalg.norm(means, axis=1, keepdims=True)
    y = random.permutation(np.repeat(np.arange(classes), zipf_counts(count, classes, power, 3)))
    x = means[y] + random.standard_normal((count, width))
    return Examples(torch.from_numpy(x).float(), torch.from_numpy(y).long())
