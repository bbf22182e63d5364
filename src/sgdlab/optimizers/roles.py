"""The role of each parameter for optimizers that treat layers differently, such as Muon.

An optimizer whose trait ``roles`` is true (``_traits_: {roles: true}`` in the YAML of one of the
user's own) gets the list ``roles`` in each of its groups, one for each of ``params``. To an
optimizer without this trait nothing is said, so none needs to know the key.
"""

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from sgdlab.optimizers.kinds import kinds_of

ROLES = ("hidden", "output", "embedding", "magnitude", "norm", "bias", "vector")
"""A kind of `sgdlab.optimizers.kinds`; ``weight`` is ``output`` or ``hidden``."""

_PRODUCT = re.compile(
    r"linear|conv|mm|matmul|einsum|tensordot|mv|dot|embedding|lstm|gru|rnn|attention|encoder_layer"
)
"""Functions behind whose result the weights of earlier layers lie."""


def roles_of(model: nn.Module, x: Any = None) -> dict[str, str]:
    """Return the role of each parameter, one of `ROLES`, by its name in ``named_parameters()``.

    Frozen ones are among them, so that freezing moves no other. The output layer are the weights
    that the model's output is a product with: of a forward pass over ``x``, whatever the order in
    which layers were registered. Where that pass shows none (it fails, or the model is compiled),
    it is the weight that was registered last.

    Args:
        model: Left as it is: the pass is made in evaluation mode, and buffers are put back.
        x: A few inputs, a tensor or a mapping of keyword arguments; None makes no pass.
    """
    return roles_given(model, set() if x is None else _last_products(model, x))


def roles_given(model: nn.Module, output: Collection[str] = ()) -> dict[str, str]:
    """Return the roles of `roles_of` for an output layer that is known.

    Args:
        model: The model.
        output: The names of the weights of the output layer, and any others; without any it is the
            weight that was registered last.
    """
    kinds = kinds_of(model)
    output = output or [name for name, kind in kinds.items() if kind == "weight"][-1:]
    return {
        name: ("output" if name in output else "hidden") if kind == "weight" else kind
        for name, kind in kinds.items()
    }


def _last_products(model: nn.Module, x: Any) -> set[str]:
    """Return the names of the factors that no other lies behind, as far as a forward pass shows."""
    kinds, named = kinds_of(model), model.named_parameters()
    factors = ("weight", "embedding", "magnitude")
    trace = _Trace({name: p for name, p in named if kinds[name] in factors})
    try:
        with left_alone(model), torch.no_grad(), trace:
            output = model(**x) if isinstance(x, Mapping) else model(x)
    except Exception:
        return set()
    return trace.behind(output)


class _Trace(TorchFunctionMode):
    """Follows from which products each tensor of a forward pass comes.

    Args:
        weights: By name.
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        # By identity: the tensor, which stays alive so that its number is not given to another;
        # the weights whose product it is; whether it is made of parameters alone.
        self._seen: dict[int, tuple[Tensor, frozenset[str], bool]] = {
            id(p): (p, frozenset((name,)), True) for name, p in weights.items()
        }

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        given = [self._of(t) for t in _tensors((args, kwargs))]
        made_of_parameters = bool(given) and all(own for _, own in given)
        if not made_of_parameters and _PRODUCT.search(getattr(func, "__name__", "")):
            factors = [names for names, own in given if own]
            given = [(names, False) for names in factors if names] or given
        names = frozenset[str]().union(*(names for names, _ in given))
        for tensor in _tensors(result):
            self._seen[id(tensor)] = tensor, names, made_of_parameters
        return result

    def behind(self, output: Any) -> set[str]:
        """Return the names of the weights that an output of the model is a product with."""
        return set().union(*(self._of(tensor)[0] for tensor in _tensors(output)))

    def _of(self, tensor: Tensor) -> tuple[frozenset[str], bool]:
        _, names, own = self._seen.get(id(tensor), (tensor, frozenset[str](), False))
        return names, own or isinstance(tensor, nn.Parameter)


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, Mapping | list | tuple):
        for value in values.values() if isinstance(values, Mapping) else values:
            yield from _tensors(value)


@contextlib.contextmanager
def left_alone(model: nn.Module) -> Iterator[None]:
    """Evaluate in the block; put back modes, buffers, attributes and random numbers after it.

    Where the block gave the model parameters, only modes, buffers and random numbers are put back.
    """
    names = [name for name, _ in model.named_parameters()]
    attributes = [(module, dict(vars(module))) for module in model.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    try:
        with torch.random.fork_rng(devices):
            model.eval()
            yield
    finally:
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        if [name for name, _ in model.named_parameters()] == names:
            for module, before in attributes:
                vars(module).clear()
                vars(module).update(before)
        else:
            model.train()
            for module, before in attributes:
                module.training = before["training"]
