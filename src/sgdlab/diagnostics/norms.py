"""Sizes of gradients, weights and updates, of the whole model and by layer."""

import math

import torch

from sgdlab.diagnostics.base import Moment, Quantity, Subject, flat

_WHOLE = ("update_norm", "weight_norm", "update_ratio", "distance")
_BY_LAYER = ("grad_norm", "weight_norm", "update_norm", "update_ratio")


class Norms(Quantity):
    """L2 norms of gradient, weights, update and way from the start.

    With ``g`` the gradient before clipping, ``θ`` the parameters before the update, ``Δ`` what
    the update added to them and ``θ₀`` the initial ones::

        update_norm = |Δ|,  weight_norm = |θ|,  update_ratio = |Δ| / |θ|,  distance = |θ - θ₀|

    and for the parameters of every layer ``grad_norm.LAYER = |g|``, ``weight_norm.LAYER``,
    ``update_norm.LAYER`` and ``update_ratio.LAYER``. A layer is the module that holds the
    parameters. The norm of all gradients is in every row already. ``Δ`` has all of the update:
    momentum, decay, clipping, a projection. A ratio to weights of 0 is inf.
    """

    def begin(self, subject: Subject) -> tuple[str, ...]:
        """Remember the initial weights; see `Quantity.begin`."""
        self._initial = flat(subject.parameters).clone()
        layers = subject.layers
        order = [index for members in layers.values() for index in members]
        assert order == sorted(order), "parameters of a layer stand next to each other"
        sizes = [p.numel() for p in subject.parameters]
        self._sizes = [sum(sizes[index] for index in members) for members in layers.values()]
        return (*_WHOLE, *(f"{name}.{layer}" for layer in layers for name in _BY_LAYER))

    def measure(self, subject: Subject, moment: Moment) -> list[float]:
        """Return the norms; see `Quantity.measure`."""
        start = moment.start
        # Few calls on long vectors: on a small model a call costs more than its arithmetic.
        vectors = torch.stack([moment.gradient, start, moment.change, start - self._initial])
        parts = vectors.split(self._sizes, dim=1)
        found = torch.stack([torch.linalg.vector_norm(part, dim=1) for part in parts]).tolist()
        # Of so few numbers Python's own arithmetic is the fastest.
        _, weight, update, distance = (math.hypot(*norms) for norms in zip(*found, strict=True))
        values = [update, weight, _ratio(update, weight), distance]
        for gradient, weight, update, _ in found:
            values += (gradient, weight, update, _ratio(update, weight))
        return values


def _ratio(above: float, below: float) -> float:
    if below == 0:
        return math.inf if above > 0 else math.nan
    return above / below
