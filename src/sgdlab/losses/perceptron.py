"""The perceptron's loss."""

from dataclasses import dataclass

import torch
from torch import Tensor

from sgdlab.errors import InputError


@dataclass(frozen=True)
class Perceptron:
    """Mean of ``max(0, max_{c≠y} o_c - o_y)``: with SGD on single examples, the perceptron.

    With the margin ``m = o_y - o_r`` of the true class ``y`` over its best rival
    ``r = argmax_{c≠y} o_c`` (the first of equals), the loss of an example is ``max(0, -m)`` and
    the gradient that is used is

        ``e_r - e_y``  where ``m <= 0``,      ``0``  where ``m > 0``.

    At ``m = 0`` every point between the two is a subgradient, and 0 is torch's usual choice.
    Rosenblatt's rule updates there, and has to: at ``w = 0`` all margins are 0, and it would stay
    there for ever. So an example of loss 0 may have a gradient, and a run that starts at ``w = 0``
    starts at loss 0.

    On ``o = W·x + b`` an SGD step on one example with ``m <= 0`` is ``w_y += lr·x``,
    ``w_r -= lr·x``. Of two classes only the difference ``w = w_1 - w_0`` matters, and it moves by
    ``±2·lr·x``: the classical rule ``w += t·x`` (``t = ±1``) at ``lr=0.5``. From ``w = 0`` the
    learning rate only scales ``w``, and the number of updates on data in a ball of radius ``R``
    that some unit ``w`` separates with margin ``γ`` is at most ``(R/γ)²``, whatever their order
    (``x`` with a constant 1 appended where there is a bias). For more classes ``2·(R/γ)²``, with
    ``γ`` the least margin of some ``W`` of unit Frobenius norm.

    The perceptron itself, pure SGD without decay:
    ``sgdlab train loss=perceptron model=linear batch_size=1 optimizer=sgd lr=0.5
    optimizer.weight_decay=0.0 schedule=constant``.

    Contrast: the hinge loss ``max(0, 1 - m)`` asks for a margin of 1 and goes on until it has it,
    which with weight decay finds the largest margin; this loss is content with any separation,
    depends on the order of the data, and on data that are not separable never settles. The
    logistic loss ``log(1 + e^-m)`` (`sgdlab.losses.cross_entropy`) is smooth, never 0, and gives
    probabilities.

    Source: Rosenblatt (1958); the bound Novikoff (1962); several classes as Kesler's construction
    (Duda and Hart 1973), Collins (2002).

    Attributes:
        task: The task of the dataset; None is not checked.

    Raises:
        InputError: A regression task.
    """

    task: str | None = None

    def __post_init__(self) -> None:
        if self.task not in (None, "classification"):
            fitting = "mse" if self.task == "regression" else "auto"
            raise InputError(
                f"loss=perceptron needs classes; for a {self.task} dataset: loss={fitting}"
            )

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean over scores ``output [n, k]`` and labels ``target [n]``."""
        label = target[:, None]
        own = output.gather(1, label).squeeze(1)
        # max(dim) sends its gradient to the first of equal rivals alone; amax would share it out.
        rival = output.scatter(1, label, -torch.inf).max(dim=1).values
        shortfall = rival - own
        # Written so that a NaN stays one.
        return torch.where(shortfall < 0, torch.zeros_like(shortfall), shortfall).mean()
