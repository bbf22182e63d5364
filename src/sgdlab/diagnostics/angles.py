"""Angles between a gradient, the one before, and the update that was made of them."""

import math

import torch

from sgdlab.diagnostics.base import Moment, Quantity, Subject


class Angles(Quantity):
    """Cosines of angles in the space of all parameters.

    ::

        grad_cosine = cos(g_t, g_{t-1}),  update_cosine = cos(-g_t, θ_{t+1} - θ_t)

    with gradients before clipping, each of its own batch and at the parameters before its update;
    ``g_{t-1}`` is that of the step before, whatever the cadence. ``grad_cosine`` near 1: the rate
    could be larger; below 0: steps go to and fro across a valley. ``update_cosine`` is 1 for SGD
    without momentum and decay; below 0 the update goes uphill on its own batch. NaN in the first
    step, and where one of the two is 0.
    """

    columns = ("grad_cosine", "update_cosine")
    needs_previous = True

    def measure(self, subject: Subject, moment: Moment) -> list[float]:
        """Return the cosines; see `Quantity.measure`."""
        vectors = [moment.gradient, moment.change]
        if moment.previous is not None:
            vectors.append(moment.previous)
        both = torch.stack(vectors)
        products = (both @ both.T).tolist()
        lengths = [math.sqrt(row[place]) for place, row in enumerate(products)]
        update_cosine = _over(-products[0][1], lengths[0] * lengths[1])
        if moment.previous is None:
            return [math.nan, update_cosine]
        return [_over(products[0][2], lengths[0] * lengths[2]), update_cosine]


def _over(product: float, lengths: float) -> float:
    return product / lengths if lengths != 0 else math.nan
