"""Cross-entropy in which classes weigh differently, and some labels not at all."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sgdlab.checks import is_whole, require_number
from sgdlab.errors import InputError

BALANCED = "balanced"


def weighted_cross_entropy(
    weight: str | Sequence[float] | None = BALANCED,
    label_smoothing: float = 0.0,
    ignore_index: int = -100,
    task: str | None = None,
    num_outputs: int | None = None,
    class_counts: Tensor | None = None,
) -> nn.CrossEntropyLoss:
    """Return cross-entropy as a mean over what examples weigh, in nats.

    ``L = Σ_i l_i / Σ_i w_{y_i}`` over the examples (or tokens) whose label ``y_i`` is not ignored,
    with ``l_i = -Σ_c w_c · q_ic · log softmax(o_i)_c`` and ``q = (1 - s) · onehot(y) + s / k`` for
    ``k`` classes and label smoothing ``s``. ``balanced`` is ``w_c = n / (k_n · n_c)`` for the
    ``n_c`` examples that class ``c`` has among the ``n`` of the training split that count, and the
    ``k_n`` classes among them: every class counts alike, and the mean weight of an example is 1.

    The mean runs over the weights, so micro-batches are put together by their weights, too, and an
    accumulated gradient is that of the one large batch.

    Source: King and Zeng (2001), "Logistic regression in rare events data"; smoothing as in Szegedy
    et al. (2016).

    Args:
        weight: ``balanced``, a number from 0 for every class, or None: all alike.
        label_smoothing: ``s``, from 0 to below 1.
        ignore_index: The label that does not count.
        task: The task of the dataset; None is not checked.
        num_outputs: The classes of the dataset; None is not checked.
        class_counts: The examples of each class in the training split, ``[k]``; None: no classes.

    Raises:
        InputError: A setting outside its range, a task without classes, weights for another number
            of classes, or ``balanced`` where a class has no examples.
    """
    require_number("loss.label_smoothing", label_smoothing, 0, 1, open_high=True)
    if not is_whole(ignore_index, -(2**62)):
        raise InputError(f"loss.ignore_index={ignore_index}: must be a whole number")
    if task not in (None, "classification", "language", "custom"):
        raise InputError(f"loss=weighted_cross_entropy needs classes; for {task}: loss=auto")
    numbers = _numbers(weight, ignore_index, class_counts)
    classes = num_outputs if task in ("classification", "language") else None
    if numbers is not None and classes is not None and len(numbers) != classes:
        raise InputError(f"loss.weight: {len(numbers)} weights for {classes} classes")
    kind = TokenCrossEntropy if task == "language" else nn.CrossEntropyLoss
    return kind(weight=numbers, label_smoothing=label_smoothing, ignore_index=ignore_index)


class TokenCrossEntropy(nn.CrossEntropyLoss):
    """`torch.nn.CrossEntropyLoss` over tokens: outputs ``[n, t, k]`` and labels ``[n, t]``."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """Return the mean over what tokens weigh."""
        return super().forward(input.flatten(0, -2), target.flatten())

    def rows(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the sum of what the tokens of each example weigh times their losses, ``[n]``."""
        values = torch.nn.functional.cross_entropy(
            output.flatten(0, -2), target.flatten(), self.weight, ignore_index=self.ignore_index,
            reduction="none", label_smoothing=self.label_smoothing,
        )  # fmt: skip
        return values.reshape(len(target), -1).sum(1)

    def weight_of(self, target: Tensor) -> Tensor:
        """Return what the tokens of each example weigh together, ``[n]``."""
        kept = target != self.ignore_index
        counts = kept if self.weight is None else self.weight[target.where(kept, 0)] * kept
        return counts.sum(1)


def _numbers(
    weight: str | Sequence[float] | None, ignore_index: int, class_counts: Tensor | None
) -> Tensor | None:
    if weight is None:
        return None
    if isinstance(weight, str):
        if weight != BALANCED:
            raise InputError(
                f"loss.weight={weight}: must be {BALANCED}, null, or a number for every class"
            )
        return _balanced(ignore_index, class_counts)
    given = list(weight)
    for number in given:
        require_number("loss.weight", number, 0, shown=given)
    if not sum(given):
        raise InputError(f"loss.weight={given}: one of them must be above 0")
    return torch.tensor(given, dtype=torch.float64)


def _balanced(ignore_index: int, class_counts: Tensor | None) -> Tensor:
    if class_counts is None:
        raise InputError(f"loss.weight={BALANCED}: the targets are no classes")
    counts = class_counts.double()
    counted = torch.arange(len(counts)) != ignore_index
    if missing := torch.nonzero((counts == 0) & counted).flatten().tolist():
        raise InputError(
            f"loss.weight={BALANCED}: class {missing[0]} has no example in the training split; "
            "give a number for every class"
        )
    weights = counts[counted].sum() / (counted.sum() * counts)
    return weights.where(counted, 0.0)
