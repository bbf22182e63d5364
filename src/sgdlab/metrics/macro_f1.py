"""The F1 score of every class, averaged: rare classes count like frequent ones."""

import torch
from torch import Tensor

from sgdlab.errors import InputError
from sgdlab.metrics.base import Direction, require_task
from sgdlab.metrics.by_task import predicted


class MacroF1:
    """Mean over the classes of ``F1 = 2·TP / (2·TP + FP + FN)``, of counts over the whole split.

    ``TP`` are the examples of a class that were found, ``FP`` those of others that were taken for
    it, ``FN`` those of it that were missed: the harmonic mean of precision and recall. Of several
    labels each is a class, and the true ones are its examples.

    A class that occurs neither in the targets nor in the predictions of the split has no F1 and is
    left out of the mean, as scikit-learn's ``f1_score(average="macro")`` does; one that occurs in
    only one of them has 0. Where every label is ignored the value is 0.

    Source: van Rijsbergen (1979), "Information retrieval"; averaged as in Lewis et al. (2004).

    Args:
        task: The task of the dataset; None is not checked.
        threshold: What a single output is compared with: 0 for logits, a half for probabilities.
        ignored: The label of examples and tokens that the loss leaves out, and so does this.

    Raises:
        InputError: Targets that are no labels.
    """

    name = "macro_f1"
    direction: Direction = "max"

    def __init__(
        self, task: str | None = None, threshold: float = 0.0, ignored: int = -100
    ) -> None:
        require_task("macro_f1", task)
        self._threshold, self._ignored = threshold, ignored
        self.begin(torch.device("cpu"))

    def begin(self, device: torch.device) -> None:
        """Forget what was added."""
        # Of each class: how often it was right, predicted, and true.
        self._counts = torch.zeros(3, 0, dtype=torch.int64, device=device)

    def add(self, output: Tensor, target: Tensor) -> None:
        """Count what is right, predicted and true of each class.

        Args:
            output: ``[n, k]``; ``[n]`` or ``[n, 1]`` for one logit; ``[n, k, …]`` for tokens.
            target: Classes ``[n]`` or ``[n, …]``, or labels 0/1 ``[n, m]``, which are floating.

        Raises:
            InputError: Outputs that fit no targets, or a label without an output.
        """
        found, kept = predicted(output, target, self._threshold), target != self._ignored
        if target.is_floating_point():
            right = (found == 1) & (target == 1) & kept
            parts = (right, (found == 1) & kept, (target == 1) & kept)
            counts = [part.reshape(len(part), -1).sum(0) for part in parts]
        else:
            outputs = output.shape[1] if output.ndim > 1 else 1
            found, true = found[kept], target[kept]
            if true.numel() and not 0 <= int(true.min()) <= int(true.max()) < max(outputs, 2):
                raise InputError(
                    f"metric=macro_f1: labels {int(true.min())} to {int(true.max())}, and the "
                    f"model has {outputs} outputs"
                )
            labels = (found[found == true], found, true)
            counts = [torch.bincount(label, minlength=max(outputs, 2)) for label in labels]
        new = torch.stack(counts)
        self._counts = new if not self._counts.numel() else self._counts + new

    def value(self, loss: float) -> float:
        """Return the mean over the classes that occur."""
        right, predicted, true = self._counts.double()
        occurs = predicted + true > 0
        if not occurs.any():
            return 0.0
        return float((2 * right[occurs] / (predicted + true)[occurs]).mean())
