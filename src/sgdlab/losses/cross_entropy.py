"""Cross-entropy between predicted class probabilities and labels."""

from dataclasses import dataclass

import torch
from torch import Tensor

from sgdlab.checks import is_whole, require_number
from sgdlab.errors import InputError
from sgdlab.losses.contract import IGNORED, WeightOf


@dataclass(frozen=True)
class CrossEntropy:
    """Mean cross-entropy of softmax outputs, in nats.

    ``L = -1/n · Σ_i Σ_c q_ic · log softmax(o_i)_c`` with ``q = (1 - s) · onehot(y) + s / k`` for
    ``k`` classes and label smoothing ``s`` (Szegedy et al. 2016). Of the task ``language`` the mean
    runs over all tokens of all examples. With ``ignore_index`` it runs over those with another
    label, of micro-batches and evaluations, too, however many each of them has.

    Attributes:
        label_smoothing: ``s``, from 0 (plain cross-entropy) to below 1.
        ignore_index: The label that does not count, such as that of padding; None: all do.
        task: The task of the dataset; None is not checked.

    Raises:
        InputError: ``s`` outside its range, a label that is none, or a task without classes.
    """

    label_smoothing: float = 0.0
    ignore_index: int | None = None
    task: str | None = None

    def __post_init__(self) -> None:
        require_number("loss.label_smoothing", self.label_smoothing, 0, 1, open_high=True)
        if self.ignore_index is not None and not is_whole(self.ignore_index, -(2**62)):
            raise InputError(f"loss.ignore_index={self.ignore_index}: must be a whole number")
        if self.task not in (None, "classification", "language", "custom"):
            raise InputError(
                f"loss=cross_entropy needs classes; for a {self.task} dataset: loss="
                + ("mse" if self.task == "regression" else "auto")
            )

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the mean over logits ``output [n, k]`` and labels ``target [n]``.

        Of the task ``language``: ``[n, context, k]`` and ``[n, context]``.

        Raises:
            InputError: A single output, whose softmax is 1 whatever it is, or outputs that are not
                those of tokens.
        """
        return self._cross_entropy(output, target, "mean")

    def rows(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the loss of each example times its weight, ``[n]``; see `__call__`."""
        values = self._cross_entropy(output, target, "none").reshape(len(target), -1)
        return values.mean(1) if self.ignore_index is None else values.sum(1)

    def _cross_entropy(self, output: Tensor, target: Tensor, reduction: str) -> Tensor:
        if self.task == "language":
            if output.shape[:-1] != target.shape:
                raise InputError(
                    f"loss=cross_entropy: the model gives {list(output.shape)} for tokens "
                    f"{list(target.shape)}, and needs an output for each token of the vocabulary, "
                    "[n, context, vocabulary], as model=gpt has"
                )
            output, target = output.flatten(0, -2), target.flatten()
        if output.shape[1] < 2:
            raise InputError(
                "loss=cross_entropy: the model has one output, of which softmax is always 1; "
                "loss=bce takes one logit of two classes"
            )
        return torch.nn.functional.cross_entropy(
            output,
            target,
            label_smoothing=self.label_smoothing,
            ignore_index=IGNORED if self.ignore_index is None else self.ignore_index,
            reduction=reduction,
        )

    @property
    def weight_of(self) -> WeightOf | None:
        """What gives how many labels of each example count, ``[n]``; None: all do."""
        ignored = self.ignore_index
        if ignored is None:
            return None
        return lambda target: (target != ignored).reshape(len(target), -1).sum(1)
