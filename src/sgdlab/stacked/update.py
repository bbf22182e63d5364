"""One update of many runs, as a function of their tensors."""

from collections.abc import Callable

import torch
from torch import Tensor

from sgdlab.stacked.batches import Micro
from sgdlab.stacked.form import ModelForm
from sgdlab.stacked.losses import StackedLoss
from sgdlab.stacked.rules.base import Coefficients, Rule, State
from sgdlab.stacked.tables import COUPLED, SHRINK

Advance = Callable[
    [list[Tensor], list[State], list[Micro], Tensor | None, list[Coefficients]],
    tuple[list[Tensor], list[State], Tensor, Tensor, Tensor | None],
]


def norm_of_run(x: Tensor) -> Tensor:
    """Return the L2 norm over each run's tensor, ``[R, 1, …]``."""
    return torch.linalg.vector_norm(x.flatten(1), dim=1).view(-1, *[1] * (x.ndim - 1))


def gradient_of(
    model: ModelForm, loss: StackedLoss, params: list[Tensor], micros: list[Micro]
) -> tuple[Tensor, list[Tensor]]:
    """Return losses ``[R]`` and gradients of an update, ``g = Σ_i (n_i / n)·g_i``."""
    losses: list[Tensor] = []
    gradients: list[Tensor] = []
    for (x, y, _), weight in zip(micros, loss.shares(micros), strict=True):
        value, found = model.gradient(params, x, loss.target(y), loss, weight)
        losses.append(value if len(micros) == 1 else value * weight)
        if gradients:
            for total, g in zip(gradients, found, strict=True):
                total.add_(g)
        else:
            gradients = found
    value = losses[0] if len(losses) == 1 else torch.stack(losses).sum(0)
    return value, gradients


def updated(
    rule: Rule,
    model: ModelForm,
    class_of: list[int],
    params: list[Tensor],
    states: list[State],
    gradients: list[Tensor],
    clip: Tensor | None,
    coefficients: list[Coefficients],
) -> tuple[list[Tensor], list[State], Tensor, Tensor | None]:
    """Return parameters, states, gradient norms and clipping factors after an update.

    ``g <- min(1, c / (|g| + 1e-6))·g``, in place, then decay and the rule.
    """
    norms = [torch.linalg.vector_norm(g.flatten(1), dim=1) for g in gradients]
    norm = torch.linalg.vector_norm(torch.stack(norms, 1), dim=1)
    factor = None
    if clip is not None:
        factor = (clip / (norm + 1e-6)).clamp(max=1.0)
        for g in gradients:
            g.mul_(factor.view(-1, *[1] * (g.ndim - 1)))
    if rule.by_shape:
        params, gradients = model.unpack(params), model.unpack(gradients)
    cs = [coefficients[index] for index in class_of]
    pairs = zip(params, cs, strict=True)
    params = [w * c[SHRINK] if SHRINK in c else w for w, c in pairs]
    triples = zip(gradients, params, cs, strict=True)
    gradients = [torch.addcmul(g, w, c[COUPLED]) if COUPLED in c else g for g, w, c in triples]
    new_params, new_states = rule.update_all(params, gradients, states, cs, norm_of_run)
    return model.pack(new_params) if rule.by_shape else new_params, new_states, norm, factor


def first_states(
    rule: Rule,
    model: ModelForm,
    class_of: list[int],
    params: list[Tensor],
    first: list[Coefficients],
) -> list[State]:
    """Return the optimizer states before the first step, of which these are the coefficients."""
    params = model.unpack(params) if rule.by_shape else params
    return [rule.init(w, first[index]) for w, index in zip(params, class_of, strict=True)]


def advance_with(model: ModelForm, loss: StackedLoss, rule: Rule, class_of: list[int]) -> Advance:
    """Return the function that makes one update of all runs: `gradient_of`, then `updated`.

    It takes parameters, states, micro-batches, the largest norms ``[R]`` (None: no run clips) and
    the coefficients by class; it returns new parameters and states, and the losses, gradient norms
    before clipping and clipping factors of the runs, each ``[R]``.
    """

    def advance(
        params: list[Tensor],
        states: list[State],
        micros: list[Micro],
        clip: Tensor | None,
        coefficients: list[Coefficients],
    ) -> tuple[list[Tensor], list[State], Tensor, Tensor, Tensor | None]:
        value, gradients = gradient_of(model, loss, params, micros)
        moved = updated(rule, model, class_of, params, states, gradients, clip, coefficients)
        params, states, norm, factor = moved
        return params, states, value, norm, factor

    return advance
