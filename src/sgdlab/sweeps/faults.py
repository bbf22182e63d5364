"""What a first step says when it fails: the part, the shape, and what would help."""

from dataclasses import dataclass

from torch import Tensor

from sgdlab import signals
from sgdlab.config.instantiate import is_out_of_memory
from sgdlab.datasets.base import Split
from sgdlab.datasets.rows import tensors
from sgdlab.errors import InputError, one_line
from sgdlab.training.advice import advice_on
from sgdlab.training.build import Run


@dataclass(frozen=True)
class Tried:
    """A batch, and what is special about it."""

    batch: Split
    special: str

    @property
    def name(self) -> str:
        """Its shapes, as messages call it."""
        shapes = " and ".join(str(list(t.shape)) for t in tensors(self.batch.x))
        return f"{self.special or 'a batch of'} {shapes}"

    @property
    def of_special(self) -> str:
        """What is special, to follow what it is said of."""
        return f", on {self.special.rstrip(',')}" if self.special else ""


def last_batch(run: Run, size: int) -> str:
    """Return what is special about the last micro-batch of an epoch, of ``size`` examples."""
    plan = run.plan
    count = f"{size} example{'s' if size > 1 else ''}"
    return (
        f"the last batch of an epoch, of {count} ({plan.examples} = n·{plan.batch_size} + {size}),"
    )


def advice(error: BaseException, tried: Tried, seen: list[object]) -> str:
    """Return what would help where a model or a loss fails; empty where nobody knows.

    Args:
        error: What was raised.
        tried: The batch.
        seen: What the model returned, if it did.
    """
    if tried.special:
        return "; set last_batch=drop or last_batch=merge, or another batch_size"
    if seen and not isinstance(seen[-1], Tensor):
        return "; return a tensor or {logits: …}, or bring step(model, batch) as the loss"
    return advice_on(error)


def advice_on_optimizer(error: BaseException) -> str:
    """Return what would help where the step of an optimizer fails."""
    text = one_line(error)
    if "does not require grad" in text or "grad_fn" in text or "create_graph" in text:
        return (
            "; it needs the graph of the gradient (create_graph=True), which sgdlab does not keep"
        )
    if "view size is not compatible" in text:
        return "; it needs weights that lie in order: leave out channels_last=true"
    return "; if it evaluates the loss itself, write _traits_: {takes_closure: true} into its YAML"


def pass_on(error: BaseException) -> None:
    """Raise what has its line already, that memory ran out, and that the process is to stop."""
    if isinstance(error, InputError) or is_out_of_memory(error) or signals.is_real(error):
        raise error
