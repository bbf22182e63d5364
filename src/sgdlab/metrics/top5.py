"""Whether the true class is among the five best."""

from torch import Tensor

from sgdlab.errors import InputError
from sgdlab.metrics.base import Direction, require_task
from sgdlab.metrics.by_task import Summed

_BEST = 5


class Top5(Summed):
    """Fraction of the labels that are among the five largest outputs: ``1/n · Σ_i [r_i < 5]``.

    ``r_i`` is how many classes come before the true one ``y``: those with a larger output, and of
    equal outputs those with a smaller label, as in ``argmax``. So ``top5`` is never below the
    accuracy, and equal outputs of all classes are right for the first five alone. An output that
    is NaN is right nowhere. Where every label is ignored it is 0.

    Source: Russakovsky et al. (2015), "ImageNet large scale visual recognition challenge".

    Args:
        task: The task of the dataset; None is not checked.
        num_outputs: The classes of the dataset; None is not checked before outputs are seen.
        ignored: The label of examples and tokens that the loss leaves out, and so does this.

    Raises:
        InputError: Targets that are no classes, or fewer than 6 classes, of which any five hold
            the true one nearly or always.
    """

    name = "top5"
    direction: Direction = "max"

    def __init__(
        self, task: str | None = None, num_outputs: int | None = None, ignored: int = -100
    ) -> None:
        super().__init__()
        require_task("top5", task)
        if task == "classification" and num_outputs is not None:
            _require_classes(num_outputs)
        self._ignored = ignored

    def add(self, output: Tensor, target: Tensor) -> None:
        """Count what is right.

        Args:
            output: ``[n, k]``; ``[n, k, …]`` for tokens.
            target: Classes ``[n]`` or ``[n, …]``.

        Raises:
            InputError: Fewer than 6 outputs.
        """
        _require_classes(output.shape[1] if output.ndim > 1 else 1)
        kept = target != self._ignored
        label = target.where(kept, 0).unsqueeze(1)
        own = output.gather(1, label)
        shape = (1, -1, *[1] * (output.ndim - 2))
        number = label.new_tensor(range(output.shape[1])).reshape(shape)
        # Written so that nothing comes after a NaN.
        after = (output < own) | ((output == own) & (number >= label))
        self.total += (((~after).sum(1) < _BEST) & kept).sum()
        self.count += int(kept.sum())

    def value(self, loss: float) -> float:
        """Return the fraction."""
        return self.mean() if self.count else 0.0


def _require_classes(count: int) -> None:
    if count <= _BEST:
        raise InputError(
            f"metric=top5: needs more than {_BEST} classes, and there are {count}; metric=accuracy"
        )
