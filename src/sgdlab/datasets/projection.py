"""Convex sets that test problems can be confined to."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.checks import require_number, require_one_of


@dataclass(frozen=True)
class Box:
    """``{w : |w_j| <= radius for all j}``. Projection: clip every coordinate."""

    radius: float

    def project_(self, w: Tensor) -> None:
        """Move ``w`` in place to the nearest point of the box."""
        w.clamp_(-self.radius, self.radius)

    def holds(self, w: np.ndarray) -> bool:
        """Say whether ``w`` lies in the box."""
        return bool(np.abs(w).max() <= self.radius)


@dataclass(frozen=True)
class Ball:
    """``{w : ‖w‖₂ <= radius}``. Projection: ``w · min(1, radius / ‖w‖)``."""

    radius: float

    def project_(self, w: Tensor) -> None:
        """Move ``w`` in place to the nearest point of the ball."""
        # Not a comparison in Python, which would wait for the device.
        w.mul_(self.radius / torch.linalg.vector_norm(w).clamp(min=self.radius))

    def holds(self, w: np.ndarray) -> bool:
        """Say whether ``w`` lies in the ball."""
        return bool(np.linalg.norm(w) <= self.radius)


Projection = Box | Ball


def projection_of(name: object, radius: object) -> Projection | None:
    """Return the set of a problem's settings ``projection`` and ``radius``.

    Raises:
        InputError: Neither ``none``, ``box`` nor ``ball``, or a radius that is not positive.
    """
    kind = require_one_of("dataset.projection", name, ("none", "box", "ball"))
    size = require_number("dataset.radius", radius, open_low=True)
    return None if kind == "none" else (Box if kind == "box" else Ball)(size)
