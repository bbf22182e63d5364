# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""Looks that were planned: how much of the error each may spend, and p-values over all of them."""

from functools import lru_cache

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

Array = NDArray[np.float64]

_ALL = float(ndtri(0.75))
_LEVELS = np.linspace(_ALL, 8.0, 321)[1:]
"""The overall levels that are tabulated, as ``z(1 − level/4)``: from 0.97 down to 1e-15."""

_NODES = 64
_FARTHEST = 37.0
"""Beyond it a normal probability is 0 in double precision."""


def nominal_level(level: float, fractions: tuple[float, ...], look: int) -> float:
    """Return the two-sided level at which a look may test, so that all together keep ``level``.

    By the share of the data that a look has, ``τ``, all looks up to it spend (Lan & DeMets 1983,
    with the shape of O'Brien & Fleming 1979)

        ``α(τ) = 4 (1 − Φ(z(1 − level/4) / √τ))``,

    half of it on either side, and the boundary of each is the one that a Brownian motion, which
    crossed none before, crosses with the probability that this look adds: the joint normal
    distribution, integrated from look to look by Gauss–Legendre quadrature (Armitage, McPherson &
    Rowe 1969).

    Args:
        level: The probability of crossing any boundary without an effect.
        fractions: τ of every planned look, rising to 1.
        look: Which look, from 0.
    """
    wanted = -float(ndtri(level / 4))
    boundary = float(np.interp(wanted, *_table(fractions, look)))
    return float(2 * ndtr(-boundary))


def overall_p(p: float, fractions: tuple[float, ...], look: int) -> float:
    """Return the p-value over all planned looks, of the two-sided p-value of one.

    It is the least overall level whose boundary this look reaches (Liu & Anderson 2008): the
    inverse of `nominal_level`. The least of those of all looks so far is a p-value at whatever
    planned look one stops. p-values of t-tests go in as they are: the boundary is in levels, not
    in quantiles, which with few units keeps the level (Pocock 1977; Jennison & Turnbull 2000, 4.4).

    Args:
        p: That of the look alone.
        fractions: See `nominal_level`.
        look: Likewise.
    """
    overall, boundary = _table(fractions, look)
    reached = float(np.interp(-float(ndtri(max(p, 1e-300) / 2)), boundary, overall))
    return min(1.0, float(4 * ndtr(-reached)))


@lru_cache(maxsize=64)
def _table(fractions: tuple[float, ...], look: int) -> tuple[Array, Array]:
    """Return quantiles of overall levels, and the boundary of a look for each of them."""
    overall = np.concatenate(([_ALL], _LEVELS))
    return overall, np.concatenate(([0.0], _boundaries(fractions)[look]))


@lru_cache(maxsize=64)
def _boundaries(fractions: tuple[float, ...]) -> list[Array]:
    """Return the boundary of each look on the normal scale, for every tabulated level."""
    nodes, weights = leggauss(_NODES)
    found: list[Array] = []
    spent = np.zeros(len(_LEVELS))
    inside = density = np.empty(0)
    for look, share in enumerate(fractions):
        total = 4 * ndtr(-_LEVELS / np.sqrt(share))
        adds, spent = total - spent, total
        step = float(np.sqrt(share - (fractions[look - 1] if look else 0.0)))
        if look == 0:
            boundary = -ndtri(total / 2)
        else:
            boundary = _solved(adds, inside, density, step, float(np.sqrt(share)))
        boundary = np.minimum(boundary, _FARTHEST)
        found.append(boundary)
        edge = (boundary * np.sqrt(share))[:, None]
        here = edge * nodes
        if look == 0:
            now = np.exp(-(here**2) / (2 * share)) / np.sqrt(2 * np.pi * share)
        else:
            moved = (here[:, :, None] - inside[:, None, :]) / step
            kernel = np.exp(-(moved**2) / 2) / (np.sqrt(2 * np.pi) * step)
            now = np.einsum("lij,lj->li", kernel, density)
        inside, density = here, now * edge * weights
    return found


def _solved(adds: Array, inside: Array, density: Array, step: float, scale: float) -> Array:
    """Return the boundaries that the motion crosses with probability ``adds``, by bisection."""
    low, high = np.zeros(len(adds)), np.full(len(adds), _FARTHEST)
    for _ in range(60):
        middle = (low + high) / 2
        edge = (middle * scale)[:, None]
        beyond = ndtr((-edge - inside) / step) + ndtr((inside - edge) / step)
        above = (beyond * density).sum(axis=1) > adds
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return (low + high) / 2
