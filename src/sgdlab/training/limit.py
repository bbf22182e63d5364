"""When the loss of a run has grown so far that the run counts as diverged."""

import math

import torch
from torch import nn

from sgdlab import signals
from sgdlab.datasets.base import Split
from sgdlab.models.outputs import outputs_of
from sgdlab.steps.closure import undisturbed
from sgdlab.steps.criterion import Criterion


def loss_limit(factor: float | None, initial: float, constant: float) -> float:
    """Return the loss above which a run counts as diverged.

    ``factor · max(|L(θ_0)|, ½·|L_c|)``, with the training loss at initialisation and that of a
    constant prediction, `constant_loss`. A start that is good by luck or by training is so no
    yardstick: what is no better than knowing nothing is far above it. The half leaves the limit of
    a random start alone, whose loss is now and then a little below that of the constant. By their
    sizes, since losses may start at or below zero. Of a test problem there is no constant, and a
    start at or below zero has no meaningful multiple.

    Args:
        factor: ``limits.loss_factor``; None for no limit.
        initial: The training loss at initialisation.
        constant: The loss of a constant prediction; 0 where it is not known.
    """
    unit = max(abs(initial), abs(constant) / 2) if constant else initial
    return factor * unit if factor and unit > 0 else math.inf


@torch.no_grad()
def constant_loss(model: nn.Module, loss: Criterion, split: Split, examples: int) -> float:
    """Return the loss of a prediction that does not look at its input; 0 where there is none.

    That of outputs of zero: ``log k`` of cross-entropy, the variance of standardised targets.
    Where zero is no prediction (outputs are log-probabilities, a loss with its minimum there), that
    of the mean of the model's outputs. The first examples of a split are a random sample of it.

    Args:
        model: The model, left as it is; with it the random state.
        loss: The loss of a batch.
        split: The examples, of which the first ones are taken.
        examples: How many, at most.
    """
    was_training = model.training
    loss.train(False)
    try:
        with undisturbed(model, loss=loss.module):
            batch = next(iter(split.batches(examples)))
            output = outputs_of(model.eval(), batch.x)
            zeros = float(loss(torch.zeros_like(output), batch.y, batch.weight))
            if math.isfinite(zeros) and zeros > 0:
                return zeros
            constant = output.mean(0, keepdim=True).expand_as(output)
            mean = float(loss(constant, batch.y, batch.weight))
            return mean if math.isfinite(mean) else 0.0
    except BaseException as error:  # a loss that takes no such output: then only the start is known
        if signals.is_real(error):
            raise
        return 0.0
    finally:
        model.train(was_training)
        loss.train(was_training)


def divergence(step: int, loss: float, norm: float, limit: float) -> str | None:
    """Return why a run has diverged at a step; None when it has not.

    Args:
        step: The number of the step, counted from 1.
        loss: The loss of the step.
        norm: The norm of its gradient.
        limit: The loss above which a run counts as diverged.
    """
    if not math.isfinite(loss):
        return f"loss is {loss} at step {step}"
    if not math.isfinite(norm):
        return f"gradient norm is {norm} at step {step}"
    if loss > limit:
        return f"loss {loss:.4g} at step {step} exceeds limits.loss_factor ({limit:.4g})"
    return None
