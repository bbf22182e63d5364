"""What the test functions of two variables share."""

from collections.abc import Sequence

import numpy as np
import torch

from sgdlab.checks import require_number, require_numbers
from sgdlab.datasets.base import Examples
from sgdlab.datasets.problem import Function, Problem, without_data
from sgdlab.datasets.projection import projection_of
from sgdlab.errors import InputError


def plane(
    function: type[Function],
    minimum: tuple[float, float],
    start: Sequence[float],
    noise: float,
    n_samples: int,
    projection: str,
    radius: float,
) -> Examples:
    """Return a function of two variables with the value 0 at ``minimum`` as a test problem.

    Raises:
        InputError: An impossible setting; or a set without the minimum, on which the optimum is
            not known.
    """
    point = np.array(minimum)
    convex_set = projection_of(projection, radius)
    if convex_set is not None and not convex_set.holds(point):
        x, y = minimum
        raise InputError(
            f"dataset.radius={radius}: the {projection} must hold the minimum ({x:g}, {y:g})"
        )
    std = require_number("dataset.noise", noise)
    built = function(
        torch.tensor(require_numbers("dataset.start", start, 2, -np.inf), dtype=torch.float64),
        torch.from_numpy(point),
        convex_set,
        torch.full((2,), std, dtype=torch.float64) if std > 0 else None,
    )
    return Examples(*without_data(n_samples), task="optimization", problem=Problem(built, 0.0))
