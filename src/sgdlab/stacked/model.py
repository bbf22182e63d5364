"""A model of many runs at once: the layers of one run's model, with a run axis."""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Generator, Tensor, nn

from sgdlab.models import parts
from sgdlab.models.cnn import CNN
from sgdlab.stacked.layers.activation import Activation
from sgdlab.stacked.layers.base import Layer
from sgdlab.stacked.layers.batch_norm import BatchNorm
from sgdlab.stacked.layers.conv import Conv2d
from sgdlab.stacked.layers.dense import Dense
from sgdlab.stacked.layers.dropout import Dropout
from sgdlab.stacked.layers.flatten import ToVectors
from sgdlab.stacked.layers.pool import MaxPool2d
from sgdlab.stacked.losses import StackedLoss

_FORMS: dict[type[nn.Module], type[Layer]] = {
    module: layer
    for layer in (Dense, Conv2d, MaxPool2d, BatchNorm, Dropout, Activation)
    for module in layer.modules
}


def _leaves(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers of a model in the order of its forward pass, a `Flatten` among them."""
    if type(module) is CNN:
        yield from _leaves(module.features, f"{prefix}features.")
        yield "", parts.Flatten()
        yield from _leaves(module.classifier, f"{prefix}classifier.")
    elif isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        for name, child in module._modules.items():  # a layer may stand there twice
            if child is not None:
                yield from _leaves(child, f"{prefix}{name}.")
    elif type(module) is not nn.Identity:
        yield prefix, module


def _is_flatten(module: nn.Module) -> bool:
    # Exact types, here and below: a subclass may do anything else.
    if type(module) is nn.Flatten:
        return module.start_dim == 1 and module.end_dim == -1
    return type(module) is parts.Flatten


def refusal(module: nn.Module) -> str | None:
    """Return why runs of a model cannot be stacked, in a few words; None when they can."""
    if any(_is_hooked(part) for part in module.modules()):
        return "the model has hooks"
    for prefix, leaf in _leaves(module):
        form = _FORMS.get(type(leaf), Activation)
        if not _is_flatten(leaf) and (reason := form.refusal(leaf)) is not None:
            return f"{reason} (layer {prefix.rstrip('.') or type(module).__name__})"
        names = [name for name, _ in leaf.named_parameters()]
        if names != ["weight", "bias"][: len(names)]:
            return f"reparametrised weights (layer {prefix.rstrip('.')})"
    if not all(p.requires_grad for p in module.parameters()):
        return "the model has frozen parameters"
    own = [f"{prefix}{n}" for prefix, x in _leaves(module) for n, _ in x.named_parameters()]
    if len({name for name, _ in module.named_parameters()}) < len(own):
        return "the model shares parameters between layers"
    if own != [name for name, _ in module.named_parameters()]:
        return "the model has parameters outside its layers"
    return None


def _is_hooked(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


class StackedModel:
    """Forward and backward pass of many runs of one architecture.

    Args:
        module: The model of one run, on CPU; only its shapes and settings count.
    """

    def __init__(self, module: nn.Module) -> None:
        self._prefixes: list[str] = []
        self._layers: list[Layer] = []
        for prefix, leaf in _leaves(module):
            form = ToVectors() if _is_flatten(leaf) else _FORMS[type(leaf)](leaf)
            self._prefixes.append(prefix)
            self._layers.append(form)
        self.names = [
            f"{prefix}{name}"
            for prefix, layer in zip(self._prefixes, self._layers, strict=True)
            for name in layer.parameters
        ]
        """Names of all trainable parameters, in the order of every list of them."""
        self._vectors = isinstance(self._layers[0], ToVectors)
        self._first_trained = next(i for i, x in enumerate(self._layers) if x.parameters)
        self.draws = any(isinstance(layer, Dropout) for layer in self._layers)
        """Whether masks are drawn in training."""
        self.normalises = any(isinstance(layer, BatchNorm) for layer in self._layers)
        """Whether there are running statistics."""

    def inputs(self, x: Tensor) -> Tensor:
        """Return the inputs of a split as they are to be cut into batches."""
        return x.flatten(1).contiguous() if self._vectors else x

    @staticmethod
    def _enter(x: Tensor) -> Tensor:
        """Return a batch in the layout of the layers: that of images ends with the batch."""
        return x.permute(0, 2, 3, 4, 1) if x.ndim == 5 else x

    def _split(self, values: Sequence[Tensor]) -> Iterator[tuple[str, Layer, Sequence[Tensor]]]:
        start = 0
        for prefix, layer in zip(self._prefixes, self._layers, strict=True):
            end = start + len(layer.parameters)
            yield prefix, layer, values[start:end]
            start = end

    def load(self, states: Sequence[Mapping[str, Tensor]], device: torch.device) -> list[Tensor]:
        """Take the state dicts of the runs; return their stacked parameters."""

        def stacked(name: str) -> Tensor:
            return torch.stack([state[name] for state in states]).to(device)

        params: list[Tensor] = []
        for prefix, layer in zip(self._prefixes, self._layers, strict=True):
            params += [layer.pack(n, stacked(f"{prefix}{n}")) for n in layer.parameters]
            own = [k for k in states[0] if k.rpartition(".")[0] == prefix.rstrip(".")]
            layer.buffers = {k.rpartition(".")[2]: stacked(k) for k in own if k not in self.names}
        return params

    def state_dict(self, unpacked: Sequence[Tensor], row: int) -> dict[str, Tensor]:
        """Return the state dict of one run, as the model of that run alone would have it."""
        named = zip(self.names, unpacked, strict=True)
        state = {name: value[row].clone() for name, value in named}
        for prefix, layer in zip(self._prefixes, self._layers, strict=True):
            state |= {f"{prefix}{n}": value[row].clone() for n, value in layer.buffers.items()}
        return state

    def unpack(self, values: Sequence[Tensor]) -> list[Tensor]:
        """Return parameters, or what is shaped like them, as ``[R, *shape]`` of the modules."""
        return [layer.unpack(name, value) for layer, name, value in self._named(values)]

    def pack(self, values: Sequence[Tensor]) -> list[Tensor]:
        """Undo `unpack`."""
        return [layer.pack(name, value) for layer, name, value in self._named(values)]

    def _named(self, values: Sequence[Tensor]) -> Iterator[tuple[Layer, str, Tensor]]:
        for _, layer, own in self._split(values):
            for name, value in zip(layer.parameters, own, strict=True):
                yield layer, name, value

    def select(self, rows: Tensor) -> None:
        """Keep the statistics of some runs."""
        for layer in self._layers:
            layer.buffers = {n: b.index_select(0, rows) for n, b in layer.buffers.items()}

    def set_generators(self, generators: list[Generator]) -> None:
        """Draw the masks of each run from its own generator."""
        for layer in self._layers:
            layer.generators = generators

    def forward(self, params: Sequence[Tensor], x: Tensor) -> Tensor:
        """Return the outputs ``[R, B, m]`` in evaluation of inputs ``[R, B, …]``."""
        x = self._enter(x)
        for _, layer, own in self._split(params):
            x, _ = layer.forward(own, x, False)
        return x

    def kept_bytes(self, params: Sequence[Tensor], x: Tensor) -> int:
        """Return the size of what a forward pass in training keeps for the backward pass."""
        x = self._enter(x)
        alive = [x]
        for _, layer, own in self._split(params):
            x, saved = layer.forward(own, x, True)
            alive += [x, *saved]
        storages = [tensor.untyped_storage() for tensor in alive]
        return sum({s.data_ptr(): s.nbytes() for s in storages}.values())

    def gradient(
        self, params: Sequence[Tensor], x: Tensor, y: Tensor, loss: StackedLoss, weight: float
    ) -> tuple[Tensor, list[Tensor]]:
        """Return the training losses ``[R]`` and ``weight`` times their gradients."""
        x = self._enter(x)
        kept = []
        for _, layer, own in self._split(params):
            x, saved = layer.forward(own, x, True)
            kept.append((layer, own, saved))
        value, d = loss.value_and_gradient(x, y, weight)
        gradients: list[list[Tensor]] = []
        for index in range(len(kept) - 1, self._first_trained - 1, -1):
            layer, own, saved = kept.pop()
            dx, found = layer.backward(own, saved, d, index > self._first_trained)
            gradients.append(found)
            if dx is not None:
                d = dx
        return value, [g for found in reversed(gradients) for g in found]
