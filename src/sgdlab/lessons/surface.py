"""The values of a function of two variables on a grid."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sgdlab.config.schema import RunConfig
from sgdlab.datasets.problem import Function
from sgdlab.errors import InputError
from sgdlab.training.build import dataset_of

POINTS = 241


@torch.no_grad()
def surface_of(
    config: RunConfig, window: Sequence[float]
) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Return ``f(x, y)`` on a grid, ``[y, x]``, and the minima.

    Args:
        config: Its dataset is the function.
        window: ``(left, right, bottom, top)``.

    Raises:
        InputError: The dataset is no function of two variables.
    """
    problem = dataset_of(config).problem
    function = problem.build().double().eval() if problem else None
    if not isinstance(function, Function) or function.w.numel() != 2:
        raise InputError("lesson.plot.kind=contour: needs a function of two variables")
    left, right, bottom, top = window
    x = torch.linspace(left, right, POINTS, dtype=torch.float64)
    y = torch.linspace(bottom, top, POINTS, dtype=torch.float64)
    row = torch.zeros(1, 1, dtype=torch.float64)

    def value(w: Tensor) -> Tensor:
        return torch.func.functional_call(function, {"w": w}, row)[0]

    points = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).reshape(-1, 2)
    values = torch.func.vmap(value)(points).reshape(POINTS, POINTS)
    x_best, y_best = function.minimum.tolist()
    return values.numpy(), list(getattr(function, "minima", [(x_best, y_best)]))
