"""What a model returns for a batch."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


def outputs_of(model: nn.Module, x: Any) -> Any:
    """Return the outputs of a model for inputs ``x``.

    Inputs that are a mapping are passed as keyword arguments. Of a mapping or an object with
    ``logits``, as transformers' models return, those are the outputs; anything else is returned as
    it is, for a loss that takes it.
    """
    return logits_in(model(**x) if isinstance(x, Mapping) else model(x))


def logits_in(found: Any) -> Any:
    """Return the ``logits`` of what a model returned, where it has them; else all of it."""
    if isinstance(found, Tensor):
        return found
    logits = found.get("logits") if isinstance(found, Mapping) else getattr(found, "logits", None)
    return logits if isinstance(logits, Tensor) else found


def described(found: Any) -> str:
    """Return what a model returned, in words: ``a tuple of 2``, ``[64, 10] torch.float32``."""
    if isinstance(found, Tensor):
        return f"{list(found.shape)} {found.dtype}"
    if isinstance(found, Mapping):
        return f"a mapping of {', '.join(map(str, found))}"
    if isinstance(found, tuple | list):
        return f"a {type(found).__name__} of {len(found)}"
    return type(found).__name__
