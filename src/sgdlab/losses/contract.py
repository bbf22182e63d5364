"""What a loss says of itself, and what torch's own losses are known to be.

| attribute or method | says | unless it says so |
|---|---|---|
| ``scale_free`` | the minimiser shifts and scales with targets and outputs | False |
| ``mean_over`` | ``examples``, or ``batch``: it depends on which examples are together | examples |
| ``weight_of(target)`` | what each example counts in the mean, ``[n]`` | 1 each |
| ``rows(output, target)`` | loss times weight of each example, ``[n]`` | asked one by one |
| ``ignore_index`` | the label that does not count | -100 |
| ``outputs`` | ``logits``, or ``probabilities`` of single labels | logits |

A loss may also return values by example, ``[n, …]``, as torch's do with ``reduction="none"``.

Values by example are always exact. Everything else is checked before a run starts, on its data;
see `sgdlab.steps.loss_check`.
"""

import copy
import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgdlab.checks import is_whole
from sgdlab.errors import InputError

_SCALE_FREE = (nn.MSELoss, nn.L1Loss, F.mse_loss, F.l1_loss)
_WEIGHTED = (nn.CrossEntropyLoss, nn.NLLLoss)
_WEIGHTED_FUNCTIONS = (F.cross_entropy, F.nll_loss)
IGNORED = -100
"""The label that torch's losses leave out where nothing else is said."""

WeightOf = Callable[[Tensor], Tensor]


def is_step(target: Any) -> bool:
    """Say whether a function is ``step(model, batch)``: its first two parameters are called so."""
    if isinstance(target, type) or not callable(target):
        return False
    try:
        return list(inspect.signature(target).parameters)[:2] == ["model", "batch"]
    except (TypeError, ValueError):
        return False


def is_scale_free(target: Any) -> bool:
    """Say whether targets may be standardised without another minimiser: ``L(ay+b, ao+b) = c·L``.

    Args:
        target: The class or function of a loss.
    """
    known = any(target is one for one in _SCALE_FREE)
    return known or bool(getattr(target, "scale_free", False))


def refuse_sum(loss: Any) -> None:
    """Refuse a loss that says that it is a sum, whose gradient grows with the batch.

    Raises:
        InputError: ``reduction=sum``.
    """
    keywords = loss.keywords if isinstance(loss, functools.partial) else {}
    reduction = keywords.get("reduction", getattr(loss, "reduction", "mean"))
    if reduction == "sum":
        raise InputError(
            "reduction=sum: a loss has to be a mean over examples, or the gradient would grow with "
            "batch_size; reduction=mean, or reduction=none for values by example"
        )


def settings_of(loss: Any, kinds: Sequence[Any], functions: Sequence[Any]) -> Any:
    """Return the settings of one of torch's losses, by exact type: a subclass may do anything."""
    if type(loss) in kinds:
        return vars(loss) | dict(loss.named_buffers())
    if isinstance(loss, functools.partial) and loss.func in functions:
        return loss.keywords
    return None


def weight_of(loss: Any) -> WeightOf | None:
    """Return what gives each example's weight in the mean, ``[n]`` for targets; None: all alike.

    For torch's cross-entropy and NLL with classes as targets: the class weight of its label, and 0
    for an ignored one; of a sequence ``[n, t]`` the sum over its tokens. With probabilities as
    targets, the number of its positions.
    """
    own: WeightOf | None = getattr(loss, "weight_of", None)
    if own is not None:
        return own
    settings = settings_of(loss, _WEIGHTED, _WEIGHTED_FUNCTIONS)
    if settings is None:
        return None
    weight, ignored = settings.get("weight"), settings.get("ignore_index", IGNORED)

    def of_targets(target: Tensor) -> Tensor:
        if target.is_floating_point():  # probabilities of classes, on axis 1
            return target.new_full((len(target),), target[:, 0].numel() / len(target))
        kept = target != ignored
        counts = kept if weight is None else weight[target.where(kept, 0)] * kept
        return counts.reshape(len(target), -1).sum(1)

    return of_targets


def ignored_label(loss: Any) -> int:
    """Return the label whose examples and tokens the loss leaves out."""
    own = getattr(loss, "ignore_index", None)
    if is_whole(own, -(2**62)):
        return own
    settings = settings_of(loss, _WEIGHTED, _WEIGHTED_FUNCTIONS)
    return IGNORED if settings is None else settings.get("ignore_index", IGNORED)


def takes_probabilities(loss: Any) -> bool:
    """Say whether outputs are probabilities of single labels, no logits.

    Of torch's own losses the binary cross-entropy without logits takes them; one of the user's says
    so by an attribute ``outputs = "probabilities"``.
    """
    known = settings_of(loss, (nn.BCELoss,), (F.binary_cross_entropy,)) is not None
    return known or getattr(loss, "outputs", None) == "probabilities"


def by_row(loss: Any) -> Callable[[Any, Tensor], Tensor] | None:
    """Return what gives the loss of each example, ``[n]``, times what it counts.

    By the loss's own ``rows``, or as torch's own losses have it; None for any other
    loss, whose ``reduction`` may mean anything.
    """
    if (own_rows := getattr(loss, "rows", None)) is not None:
        return own_rows
    is_partial = isinstance(loss, functools.partial)
    if is_partial and "reduction" in inspect.signature(loss.func).parameters:
        each: Any = functools.partial(loss, reduction="none")
        own = loss.func in vars(F).values()
    elif type(loss).__module__ == nn.modules.loss.__name__:
        each, own = copy.copy(loss), True
        each.reduction = "none"
    else:
        return None
    if not own:
        return None
    sums = settings_of(loss, _WEIGHTED, _WEIGHTED_FUNCTIONS) is not None
    keywords = loss.keywords if is_partial else vars(loss)
    sums = sums or keywords.get("reduction") == "batchmean"

    def rows(output: Any, target: Tensor) -> Tensor:
        values = each(output, target)
        values = values.reshape(len(target), -1)
        return values.sum(1) if sums else values.mean(1)

    return rows


def on(loss: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """Return the loss with its parameters, buffers and tensors on ``device`` as ``dtype``."""
    if isinstance(loss, nn.Module):
        return loss.to(device, dtype)
    if isinstance(loss, functools.partial):
        moved = {key: _on(value, device, dtype) for key, value in loss.keywords.items()}
        return functools.partial(loss.func, *loss.args, **moved)
    held: dict[str, Any] = dict(getattr(loss, "__dict__", {}))
    if not any(isinstance(value, Tensor | nn.Module) for value in held.values()):
        return loss
    loss = copy.copy(loss)
    for key, value in held.items():
        if isinstance(value, Tensor | nn.Module):
            object.__setattr__(loss, key, _on(value, device, dtype))
    return loss


def _on(value: Any, device: torch.device, dtype: torch.dtype) -> Any:
    if isinstance(value, nn.Module):
        return value.to(device, dtype)
    if not isinstance(value, Tensor):
        return value
    return value.to(device, dtype if value.is_floating_point() else None)
