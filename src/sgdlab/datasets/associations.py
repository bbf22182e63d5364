"""Facts to remember, of which few are common and most are rare."""

import numpy as np
import torch

from sgdlab.checks import require_number, require_one_of, require_whole
from sgdlab.datasets.base import Examples
from sgdlab.datasets.zipf import zipf_counts
from sgdlab.errors import InputError


def associations(
    *,
    n_samples: int,
    n_facts: int,
    n_classes: int,
    embedding: str,
    dimension: int,
    exponent: float,
    random_state: int,
) -> Examples:
    """Make facts "input ``i`` goes with class ``f(i)``", fact ``i`` with ``p_i ∝ 1 / i^exponent``.

    With ``model=linear model.bias=false`` this is an associative memory of one layer,
    ``W = Σ_i q_i · u_f(i) · e_iᵀ``, the smallest model of how a transformer remembers: inputs
    ``e_i`` are one-hot, where facts do not disturb each other, or random vectors of length 1 in
    fewer dimensions than there are facts, where they interfere.

    ``f(i) = (i - 1) mod n_classes`` for facts in the order of their frequency. An example is the
    vector of a fact, without noise: facts are seen again in all splits, and a rare one may be in
    the test split alone. The numbers of examples follow the formula, not a draw (largest
    remainders), at least 1 of each.

    Args:
        n_samples: Examples of all facts together.
        n_facts: Facts, each an input of its own.
        n_classes: Classes, from 2 to ``n_facts``.
        embedding: ``one_hot`` (``n_facts`` features) or ``random`` (``dimension`` features, uniform
            on the sphere of radius 1).
        dimension: Features of random embeddings.
        exponent: 0.0: all facts alike; 1.0: Zipf's law.
        random_state: Seed of the data, apart from the seed of the run.

    Raises:
        InputError: An impossible setting.

    Source: Cabannes, Simsek and Bietti (2024), "Learning associative memories with gradient
    descent"; scaling laws: Cabannes, Dohmatob and Bietti (2024).
    """
    facts = require_whole("dataset.n_facts", n_facts, 2)
    classes = require_whole("dataset.n_classes", n_classes, 2)
    count = require_whole("dataset.n_samples", n_samples)
    kind = require_one_of("dataset.embedding", embedding, ("one_hot", "random"))
    width = require_whole("dataset.dimension", dimension)
    power = require_number("dataset.exponent", exponent)
    random = np.random.RandomState(require_whole("dataset.random_state", random_state, 0))
    if classes > facts:
        raise InputError(f"dataset.n_classes={classes}: at most dataset.n_facts={facts}")
    if count < max(facts, 3 * classes):
        raise InputError(
            f"dataset.n_samples={count}: at least one for each of dataset.n_facts={facts} and "
            f"three for each of dataset.n_classes={classes}"
        )
    vectors = np.eye(facts)
    if kind == "random":
        vectors = random.standard_normal((facts, width))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    fact = random.permutation(np.repeat(np.arange(facts), zipf_counts(count, facts, power, 1)))
    x, y = vectors[fact], fact % classes
    return Examples(torch.from_numpy(x).float(), torch.from_numpy(y).long())
