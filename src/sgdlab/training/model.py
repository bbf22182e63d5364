"""What is done to a model, whoever wrote it, between its constructor and the optimizer."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from sgdlab import signals
from sgdlab.datasets.rows import moved
from sgdlab.errors import InputError
from sgdlab.models.outputs import outputs_of
from sgdlab.optimizers.roles import left_alone

_KNOWN = ("torch", "torchvision", "sgdlab")


def complete(model: nn.Module, x: Any) -> None:
    """Let a model make the parameters that it makes when it first sees data.

    Lazy layers get their shapes, and a ``forward`` of the user's own that creates layers has
    created them before an optimizer is built, which would else never train them.

    Args:
        model: At its initial weights, on CPU; its mode stays.
        x: A few inputs: a tensor, or a mapping of keyword arguments.
    """
    x = moved(x, "cpu", torch.get_default_dtype())  # in which constructors make parameters
    if any(is_lazy(p) for p in model.parameters()):
        with torch.no_grad():
            outputs_of(model.eval(), x)
        model.train()
    elif _is_foreign(model):
        with torch.no_grad(), left_alone(model):
            try:
                outputs_of(model, x)
            except BaseException as error:
                if signals.is_real(error):
                    raise
                return  # the first step says so, with its traceback


def cast_to(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Return the model with parameters and buffers in a floating type; others keep theirs.

    Complex ones get the complex type of the same precision, where `torch.nn.Module.to` would drop
    their imaginary parts; integers and booleans stay.
    """
    if any(t.is_complex() for t in (*model.parameters(), *model.buffers())):

        def to_type(t: Tensor) -> Tensor:
            return t.to(dtype.to_complex()) if t.is_complex() else t

        model._apply(to_type)  # what `to` calls, and what layers with more tensors override
        return model._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)
    return model.to(dtype)


def to_channels_last(model: nn.Module, shape: tuple[int, ...], label: str) -> None:
    """Lay the weights of convolutions out with the channels last, in place; values stay.

    Args:
        model: The model, on its device.
        shape: The shape of an input.
        label: The model as the user calls it.

    Raises:
        InputError: Inputs are no images, or the model has no convolution over them.
    """
    if len(shape) != 3:
        raise InputError(
            f"channels_last=true: needs images, [channels, height, width], not inputs {list(shape)}"
        )
    if not any(p.ndim == 4 for p in model.parameters()):
        raise InputError(f"channels_last=true: {label} has no convolution; leave it out")
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def default_to(model: nn.Module, dtype: torch.dtype) -> None:
    """Let tensors that a ``forward`` of the user's own creates have the type of the run.

    ``torch.ones(n, 1)`` has torch's default type, which is ``dtype`` during each call.
    """
    before = torch.get_default_dtype()
    if dtype == before or not _is_foreign(model):
        return
    model.register_forward_pre_hook(lambda *_: torch.set_default_dtype(dtype))
    model.register_forward_hook(lambda *_: torch.set_default_dtype(before), always_call=True)


def _is_foreign(model: nn.Module) -> bool:
    """Say whether any of its modules has a ``forward`` that we do not know."""
    owners = (type(module).forward.__module__ for module in model.modules())
    return any(str(owner).split(".")[0] not in _KNOWN for owner in owners)
