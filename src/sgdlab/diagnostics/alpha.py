"""Where on the parabola along its own direction a step ends."""

import torch
from torch import Tensor

from sgdlab.diagnostics.base import Moment, Quantity, Subject, flat
from sgdlab.diagnostics.placed import placed
from sgdlab.steps.base import MicroBatches
from sgdlab.steps.closure import undisturbed
from sgdlab.steps.precision import autocast


class Alpha(Quantity):
    """Position of the step on the parabola that loss and slope at its two ends suggest.

    -1: no move; 0: the minimum along the line; 1: the mirror image of the start, as high on the
    other side; above 1: higher than before. Along the step, ``s`` from 0 to 1, the parabola
    ``w₀ + w₁ s + w₂ s²`` is fitted by least squares to the losses ``f₀``, ``f₁`` and the slopes
    ``d = ∇f·Δ`` at both ends, ``Δ`` the update: four values for three numbers. What does not fit,
    ``r = f₁ - f₀ - (d₀ + d₁)/2``, is 0 on a true parabola. The minimum is at ``-w₁/(2 w₂)``, so ::

        alpha = -2 w₂/w₁ - 1 = -(d₁ + r/5) / (d₀ + r/5),       without noise  -d₁/d₀

    and -1 where the parabola is not convex: it goes on downhill. Below -1: the minimum lies
    behind, the step goes uphill (momentum does that at times). SGD with rate ``lr`` on curvature
    ``h`` has ``alpha = lr·h - 1``.

    Both ends see the same examples, on CPU with the same dropout, so there is no noise of the
    batch between them. The source weighs the four by their variances over the examples instead.

    Source: Schneider, Dangel and Hennig (2021), "Cockpit: a practical debugging tool for the
    training of deep neural networks", section 3.1; Mahsereci and Hennig (2017).
    """

    columns = ("alpha",)

    def measure(self, subject: Subject, moment: Moment) -> Tensor:
        """Return alpha; see `Quantity.measure`."""
        change = moment.change
        loss, gradient = moment.loss, moment.gradient
        if subject.traits.takes_closure:  # then it may be that of another point, or a guess
            loss, gradient = _repeat(subject, moment, moment.before)
        later, end = _repeat(subject, moment, moment.after)
        slopes = torch.dot(gradient, change), torch.dot(end, change)
        return alpha_of(loss, later, *slopes).reshape(1)


def alpha_of(f0: Tensor, f1: Tensor, d0: Tensor, d1: Tensor) -> Tensor:
    """Return alpha from losses and slopes at both ends; see `Alpha`."""
    fifth = (f1 - f0 - (d0 + d1) / 2) / 5
    start, end = d0 + fifth, d1 + fifth
    # Written so that a NaN stays one.
    return torch.where(end <= start, torch.full_like(start, -1.0), -end / start)


def _repeat(subject: Subject, moment: Moment, values: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return loss and gradient ``[d]`` of the update's batch at other parameters."""
    kept = undisturbed(subject.model, moment.random_state, subject.loss.module)
    with kept, placed(subject.parameters, values):
        return loss_and_gradient(subject, moment.update)


def loss_and_gradient(subject: Subject, update: MicroBatches) -> tuple[Tensor, Tensor]:
    """Return loss and gradient ``[d]`` of an update at the present parameters.

    Micro-batches weigh by their examples; ``p.grad`` is left alone.
    """
    size = sum(len(batch.y) for batch in update)
    losses: list[Tensor] = []
    gradient: Tensor | None = None
    for batch in update:
        with torch.enable_grad():
            with autocast(batch.y.device, subject.half_of_gradients):
                loss = subject.loss.of(subject.model, batch)
            loss = loss * (len(batch.y) / size)
            found = torch.autograd.grad(
                loss, subject.parameters, allow_unused=True, materialize_grads=True
            )
        gradient = flat(found) if gradient is None else gradient + flat(found)
        losses.append(loss.detach())
    assert gradient is not None
    return torch.stack(losses).sum(), gradient
