"""Whether a loss is the mean over examples that it says it is."""

import contextlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sgdlab.datasets.base import Split
from sgdlab.models.outputs import outputs_of
from sgdlab.steps.criterion import Criterion, StepCriterion

EXAMPLES = 512
"""Examples that are looked at, at most."""

A_SUM = "it is a sum"
"""How what is said of a sum ends."""

TOLERANCE = 2e-4
"""Largest relative difference that counts as rounding, of float32."""


@torch.no_grad()
def deviation(criterion: Criterion, model: nn.Module, examples: Split) -> str | None:
    """Return how a loss is not a mean over examples, in words; None where it is one.

    With ``L`` the loss of all and ``L_a``, ``L_b`` those of two parts that count ``T_a``, ``T_b``,
    a mean has ``L = (T_a·L_a + T_b·L_b) / (T_a + T_b)``, whatever the parts and their order. The
    parts are thirds by target, so that they have different classes and values, and the order is
    turned. Outputs are those of the model in evaluation, so that its own batch statistics play no
    part, moved at random where they may be: a model that starts at 0 gives all examples one loss.
    A loss that draws even then is not looked at.

    Weights of examples have to be those of the loss: with weights of 1 it is the loss without.

    Args:
        criterion: The loss.
        model: The model, which is left as it is.
        examples: Some examples.
    """
    count = len(examples.y)
    if count < 3:
        return None
    training = model.training
    model.eval()
    criterion.train(False)
    try:
        if isinstance(criterion, StepCriterion):
            return _of_parts(lambda part: criterion.of(model, part), criterion, examples)
        output = outputs_of(model, examples.x)
        plain = Criterion(criterion.loss)
        for moved in _moved(output):
            split = Split(moved, examples.y)
            with contextlib.suppress(RuntimeError, ValueError):  # probabilities cannot be moved
                value_of = lambda part: plain(part.x, part.y)  # noqa: E731
                found = _of_parts(value_of, plain, split)
                if found is None and examples.weight is not None:
                    found = _of_ones(criterion, plain, split)
                if found is not None:
                    return found
    finally:
        model.train(training)
        criterion.train(training)
    return None


def _moved(output: Any) -> list[Any]:
    """Return outputs, and outputs moved by random numbers of their size."""
    if not isinstance(output, Tensor) or not output.is_floating_point():
        return [output] if isinstance(output, Tensor | Mapping) else []
    generator = torch.Generator().manual_seed(0)
    size = float(output.float().std()) or 1.0
    noise = torch.randn(output.shape, generator=generator).to(output) * size
    return [output + noise, output]


def _of_ones(criterion: Criterion, plain: Criterion, split: Split) -> str | None:
    without = float(plain(split.x, split.y))
    ones = torch.ones(len(split.y), dtype=torch.float64, device=split.y.device)
    weighted = float(criterion(split.x, split.y, ones))
    if abs(weighted - without) <= TOLERANCE * max(abs(weighted), abs(without), 1e-6):
        return None
    return f"{without:.4g} in all, {weighted:.4g} as the mean over single examples"


def _of_parts(
    value_of: Callable[[Split], Tensor], criterion: Criterion, examples: Split
) -> str | None:
    count = len(examples.y)
    whole, again = (float(value_of(examples)) for _ in range(2))
    if whole != again or not math.isfinite(whole):
        return None
    order = _by_target(examples.y)
    turned = float(value_of(examples.take(order.flip(0))))
    parts = [examples.take(part) for part in order.split(-(-count // 3))]
    values = [float(value_of(part)) for part in parts]
    totals = [float(criterion.total(part)) for part in parts]
    if not all(map(math.isfinite, values)) or not sum(totals):
        return None
    mean = sum(t * v for t, v in zip(totals, values, strict=True)) / sum(totals)
    scale = max(abs(whole), max(map(abs, values)), 1e-6)
    if abs(turned - whole) > TOLERANCE * scale:
        return f"{count} examples have the loss {whole:.4g}, in another order {turned:.4g}"
    if abs(mean - whole) > TOLERANCE * scale:
        what = f"{count} examples have the loss {whole:.4g}, their parts {mean:.4g} in the mean"
        is_sum = abs(sum(values) - whole) <= TOLERANCE * scale
        return f"{what}: {A_SUM}" if is_sum else what
    return None


def _by_target(y: Tensor) -> Tensor:
    """Return the order of examples by their targets: classes and values come together."""
    return y.reshape(len(y), -1)[:, 0].argsort(stable=True)
