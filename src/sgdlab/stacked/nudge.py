"""What rounding may do to a result: as much as tiny changes of its inputs do."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

ROWS = 3
"""Rows of what is nudged: the values as they are, and moved by a trifle to either side."""

# Errors of a sum of n terms stay below λ·√n·u with near certainty (λ = 8: all but 2·exp(-32));
# spreads are measured at two points only, and a pass has several sums in a row.
_LAMBDA, _MARGIN = 8.0, 10.0


def unit(terms: int, dtype: torch.dtype) -> float:
    """Return the relative error ``λ·√n·u`` of a sum of ``n`` products, ``u = eps/2``.

    Rounding errors are of either sign and add up like a random walk; the bound that holds for the
    worst signs, ``n·u``, is hardly ever met. Source: Higham and Mary, A new approach to
    probabilistic rounding error analysis, SIAM J. Sci. Comput. 41 (2019).
    """
    return _LAMBDA * math.sqrt(max(terms, 1)) * torch.finfo(dtype).eps / 2


def nudged(x: Tensor, size: float) -> Tensor:
    """Return ``[3, *x.shape]``: ``x``, ``x·(1 + size·s)`` and ``x·(1 - size·s)``, ``s`` of ±1.

    A computed sum is the exact sum of inputs that differ from the given ones by its relative error,
    so that these rows differ in a result by what its conditioning makes of rounding, however badly
    the inputs are scaled. Integers stay as they are. The signs are fixed; no random state is used.
    """
    if not x.is_floating_point():
        return torch.stack([x] * ROWS)
    places = torch.arange(x.numel(), device=x.device)
    # Bits of a multiplicative hash: signs without a period that rows or columns could share.
    signs = (((places * 2654435761) >> 16) & 1).to(x.dtype).mul_(2).sub_(1).view(x.shape)
    step = signs.mul_(size)
    return torch.stack([x, x * (1 + step), x * (1 - step)])


def differs(alone: Tensor, rows: Tensor, size: float, scale: float = 0.0) -> bool:
    """Say whether a result lies farther from that of a stack than rounding explains.

    The largest distance is held against ten times the largest that the nudged rows keep, and
    ``size`` times the largest number. Where either result is not finite both have to be.

    Args:
        alone: The result of the ordinary engine.
        rows: The results ``[3, …]`` of a stack whose inputs were `nudged`.
        size: The relative error that the inputs were nudged by.
        scale: What the largest number is at least: that of terms which cancel in the result.
    """
    first = rows[0]
    if alone.shape != first.shape:
        return True
    if not alone.numel():
        return False
    if not (alone.isfinite().all() and first.isfinite().all()):
        return not torch.equal(alone.isfinite(), first.isfinite())
    spread = float((rows[1:] - first).abs().max())
    largest = max(float(first.abs().max()), scale)
    most = _MARGIN * ((spread if math.isfinite(spread) else 0.0) + size * largest)
    return float((alone - first).abs().max()) > most


def outside(alone: Tensor, rows: Tensor, before: Tensor, size: float) -> bool:
    """Say whether updated weights lie outside those of updates by gradients moved to either side.

    So a sign that hangs on the rounding of a sum, of ``g + wd·w`` say, may be either.

    Args:
        alone: The weights after the update of the ordinary engine.
        rows: Those of a stack, ``[3, …]``, after the same gradient and ones moved by a trifle.
        before: The weights before the update.
        size: The relative error of an update.
    """
    if not alone.isfinite().all():
        return not torch.equal(alone.isfinite(), rows[0].isfinite())
    room = _MARGIN * size * (before.abs() + rows[0].abs())
    low, high = rows.amin(0) - room, rows.amax(0) + room
    return not bool(((alone >= low) & (alone <= high)).all())


def terms(shapes: Iterator[Sequence[int]], examples: int) -> int:
    """Return the number of terms of the longest sum of a step: over weights, or over examples."""
    return max(examples, *(math.prod(shape) for shape in shapes))
