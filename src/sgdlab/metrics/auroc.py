"""The area under the ROC curve: how well outputs rank examples, whatever the threshold."""

import torch
from torch import Tensor

from sgdlab.errors import InputError
from sgdlab.metrics.base import Direction, require_task

CHANCE = 0.5
"""The area where nothing is ranked: of a split with one class."""


class AreaUnderROC:
    """The probability that an example of a class scores above one of another.

    ``A_c = 1/(P·N) · Σ_i Σ_j [s_i > s_j] + ½·[s_i = s_j]`` over the ``P`` examples ``i`` of class
    ``c`` and the ``N`` others ``j``: the area under the curve of true against false positives, and
    the statistic of Mann and Whitney. Pairs are counted as integers over the whole split.

    Of two classes the score is ``o_1 - o_0``, or the one logit, and the value ``A_1``. Of more it
    is the logarithm of the class's softmax, and the value the mean of ``A_c``, each class against
    the rest. Of several labels it is the label's output, and the value the mean over the labels. A
    class without examples or without others has no area and is left out of the mean; where none is
    left (a split of one class) the value is 0.5, that of chance. It is NaN only where outputs are.

    It keeps the scores of the split in float64.

    Source: Hanley and McNeil (1982); more classes as Provost and Domingos (2000), unweighted.

    Args:
        task: The task of the dataset; None is not checked.
        ignored: The label of examples and tokens that the loss leaves out, and so does this.

    Raises:
        InputError: Targets that are no labels.
    """

    name = "auroc"
    direction: Direction = "max"

    def __init__(self, task: str | None = None, ignored: int = -100) -> None:
        require_task("auroc", task)
        self._ignored = ignored
        self._parts: list[tuple[Tensor, Tensor]] = []

    def begin(self, device: torch.device) -> None:
        """Forget what was added."""
        self._parts = []

    def add(self, output: Tensor, target: Tensor) -> None:
        """Keep scores and labels.

        Args:
            output: ``[n, k]``; ``[n]`` or ``[n, 1]`` for one logit; ``[n, k, …]`` for tokens.
            target: Classes ``[n]`` or ``[n, …]``, or labels 0/1 ``[n, m]``, which are floating.

        Raises:
            InputError: Outputs that fit no targets.
        """
        if output.numel() == target.numel():
            self._parts.append(
                (output.double().reshape(len(target), -1), target.reshape(len(target), -1))
            )
            return
        if target.is_floating_point() or output.ndim != target.ndim + 1:
            raise InputError(
                f"metric=auroc: outputs {list(output.shape)} do not fit targets "
                f"{list(target.shape)}"
            )
        scores = output.double().movedim(1, -1).reshape(-1, output.shape[1])
        label = target.reshape(-1, 1)
        kept = label != self._ignored
        if scores.shape[1] == 2:
            scores, truth = scores[:, 1:] - scores[:, :1], label
        else:
            scores = scores.log_softmax(1)
            truth = (label == torch.arange(scores.shape[1], device=label.device)).long()
        self._parts.append((scores, truth.where(kept, self._ignored)))

    def value(self, loss: float) -> float:
        """Return the area, a mean where there are more than two classes."""
        scores, truth = (torch.cat(part) for part in zip(*self._parts, strict=True))
        self._parts = []
        if scores.isnan().any():
            return float("nan")
        found = list[float]()
        for score, true in zip(scores.T, truth.T, strict=True):
            kept = true != self._ignored
            one = area(score[kept], true[kept] == 1)
            found += [] if one is None else [one]
        return sum(found) / len(found) if found else CHANCE


def area(scores: Tensor, positive: Tensor) -> float | None:
    """Return the area of scores ``[n]`` whose positive examples are told by ``[n]``.

    None where all examples are positive, or none is.
    """
    ours, others = scores[positive].contiguous(), scores[~positive].sort().values
    if not len(ours) or not len(others):
        return None
    below = torch.searchsorted(others, ours).sum()
    not_above = torch.searchsorted(others, ours, right=True).sum()
    return int(below + not_above) / (2 * len(ours) * len(others))
