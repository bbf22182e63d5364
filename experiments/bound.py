"""What the convex bound says of a learning rate schedule, with the best rate for it."""

import math

import numpy as np

from sgdlab.schedules.base import Schedule
from sgdlab.schedules.constant import Constant
from sgdlab.schedules.cosine import Cosine
from sgdlab.schedules.wsd import Wsd


def constant_of(schedule: str, steps: int, decay: float = 0.2) -> float:
    """Return ``c`` of the least bound ``D·G·c`` on the excess loss of the last iterate.

    For rates ``η_t = γ·s_t`` and gradients of length ``G``, from a start at distance ``D``::

        D²/(2 Σ η) + G²/2 · ( Σ η²/Σ η + Σ_{k<T} η_k/(Σ_{t>k} η_t) · Σ_{t>=k} η_t²/Σ_{t>=k} η_t )

    which is ``D²·a/γ + G²·b·γ``, least at ``γ = D/G·sqrt(a/b)``, where it is ``2·D·G·sqrt(a·b)``.

    Source: Defazio, Cutkosky, Mehta and Mishchenko (2023), theorem 10; Schaipp, Hägele, Taylor,
    Simsekli and Bach (2025), "The surprising agreement between convex optimization theory and
    learning-rate scheduling for large model training".
    """
    made: dict[str, Schedule] = {
        "constant": Constant(),
        "cosine": Cosine(warmup_epochs=0.0),
        "wsd": Wsd(decay=decay, warmup_epochs=0.0),
    }
    factors = np.array([made[schedule](step, steps, steps) for step in range(steps)])
    return 2 * math.sqrt(_distance_term(factors) * _gradient_term(factors))


def _distance_term(s: np.ndarray) -> float:
    return 0.5 / float(s.sum())


def _gradient_term(s: np.ndarray) -> float:
    s = s[s > 0]
    sums = np.cumsum(s[::-1])[::-1]
    squares = np.cumsum((s**2)[::-1])[::-1]
    return 0.5 * float(squares[0] / sums[0] + (s[:-1] / sums[1:] * squares[:-1] / sums[:-1]).sum())
