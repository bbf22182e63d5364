"""Coloured pictures of smooth patterns, a pattern for each class."""

import numpy as np
import torch

from sgdlab.checks import require_number, require_whole
from sgdlab.datasets.base import Examples
from sgdlab.errors import InputError

WAVES = 3
"""Highest number of waves of a pattern along an edge of the image."""


def images_synthetic(
    *,
    n_samples: int,
    n_classes: int,
    size: int,
    shift: int,
    noise: float,
    random_state: int,
) -> Examples:
    """Draw images ``[3, size, size]``: the pattern of a class, moved at random, and noise.

    A stand-in for photos such as CIFAR-10 where nothing can be downloaded: a small convolutional
    network learns it, and a linear model the less the further patterns move.

    The pattern of a class is a random periodic function of low frequency in each colour,
    ``P(u, v) = Σ_{a,b} A_ab · cos(2π(a·u + b·v)/size + φ_ab)`` over ``0 <= a <= 3``,
    ``-3 <= b <= 3`` without ``a = b = 0``, ``A_ab ~ N(0, 1) / (a² + b²)^½``,
    ``φ_ab`` uniform, scaled to mean 0 and standard deviation 1. An image is ``P`` moved around its
    edges by up to ``shift`` pixels each way, plus ``noise · N(0, 1)`` for each number, as bytes of
    mean 128 and standard deviation 40, cut to 0 … 255 and divided by 255. Classes are equally
    frequent (to one example).

    Args:
        n_samples: Images of all classes together, at least 3 of each.
        n_classes: Classes, from 2.
        size: Height and width, from 8.
        shift: Largest shift in pixels, from 0; half of ``size`` moves patterns anywhere.
        noise: Standard deviation over that of a pattern.
        random_state: Seed of the data, apart from the seed of the run.

    Raises:
        InputError: An impossible setting.
    """
    classes = require_whole("dataset.n_classes", n_classes, 2)
    count = require_whole("dataset.n_samples", n_samples)
    edge = require_whole("dataset.size", size, 8)
    furthest = require_whole("dataset.shift", shift, 0)
    spread = require_number("dataset.noise", noise)
    random = np.random.RandomState(require_whole("dataset.random_state", random_state, 0))
    if count < 3 * classes:
        raise InputError(
            f"dataset.n_samples={count}: at least 3 for each of dataset.n_classes={classes}, "
            f"which is {3 * classes}: one for each split"
        )
    patterns = np.stack([_pattern(edge, random) for _ in range(classes)])
    y = random.permutation(np.arange(count) % classes)
    moves = random.randint(-furthest, furthest + 1, (count, 2))
    contrast = 40 / np.hypot(1, spread)
    images = np.empty((count, 3, edge, edge), np.uint8)
    for row, (label, move) in enumerate(zip(y, moves, strict=True)):
        image = np.roll(patterns[label], tuple(move), (1, 2))
        image = image + spread * random.standard_normal(image.shape)
        images[row] = np.clip(np.rint(128 + contrast * image), 0, 255)
    return Examples(torch.from_numpy(images).float().div_(255), torch.from_numpy(y).long())


def _pattern(edge: int, random: np.random.RandomState) -> np.ndarray:
    """Return a smooth periodic function ``[3, edge, edge]`` of mean 0 and deviation 1."""
    a, b = np.meshgrid(np.arange(WAVES + 1), np.arange(-WAVES, WAVES + 1), indexing="ij")
    a, b = (waves[(a != 0) | (b != 0)] for waves in (a, b))
    amplitude = random.standard_normal((3, len(a))) / np.hypot(a, b)
    phase = random.uniform(0, 2 * np.pi, (3, len(a)))
    u, v = np.meshgrid(np.arange(edge), np.arange(edge), indexing="ij")
    angle = 2 * np.pi / edge * (np.multiply.outer(a, u) + np.multiply.outer(b, v))
    pattern = np.einsum("cw,cwuv->cuv", amplitude, np.cos(angle + phase[:, :, None, None]))
    return (pattern - pattern.mean()) / pattern.std()
