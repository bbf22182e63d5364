"""A model of many runs at once: the layers of one run's model, with a run axis."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Self

import torch
from torch import Generator, Tensor, nn

from sgdlab.stacked.layers.base import Layer
from sgdlab.stacked.layers.batch_norm import BatchNorm
from sgdlab.stacked.layers.dropout import Dropout
from sgdlab.stacked.layers.flatten import ToVectors
from sgdlab.stacked.losses import StackedLoss
from sgdlab.stacked.structure import FORMS, is_flatten, leaves, refusal, signature


class StackedModel:
    """Forward and backward pass of many runs of one architecture.

    Args:
        module: The model of one run, on CPU; only its shapes and settings count.
    """

    written_out = True
    refusal = staticmethod(refusal)
    signature = staticmethod(signature)

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        self._prefixes: list[str] = []
        self._layers: list[Layer] = []
        for prefix, leaf in leaves(module):
            form = ToVectors() if is_flatten(leaf) else FORMS[type(leaf)](leaf)
            self._prefixes.append(prefix)
            self._layers.append(form)
        self.names = [
            f"{prefix}{name}"
            for prefix, layer in zip(self._prefixes, self._layers, strict=True)
            for name in layer.parameters
        ]
        """Names of all trainable parameters, in the order of every list of them."""
        self.takes_vectors = isinstance(self._layers[0], ToVectors)
        """Whether images are flattened before they are cut into batches."""
        self._first_trained = next(i for i, x in enumerate(self._layers) if x.parameters)
        self.draws = any(isinstance(layer, Dropout) for layer in self._layers)
        """Whether masks are drawn in training."""
        self.normalises = any(isinstance(layer, BatchNorm) for layer in self._layers)
        """Whether there are running statistics."""

    def fresh(self, module: nn.Module | None = None) -> Self:
        """See `ModelForm.fresh`."""
        return type(self)(self._module if module is None else module)

    def inputs(self, x: Tensor) -> Tensor:
        """Return the inputs of a split as they are to be cut into batches."""
        return x.flatten(1).contiguous() if self.takes_vectors else x

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
        return state | {name: value[row].clone() for name, value in self.statistics().items()}

    def statistics(self) -> dict[str, Tensor]:
        """Return the running statistics of all runs by name, each ``[R, …]``."""
        layers = zip(self._prefixes, self._layers, strict=True)
        return {f"{prefix}{n}": b for prefix, layer in layers for n, b in layer.buffers.items()}

    def set_statistics(self, values: Sequence[Tensor]) -> None:
        """Replace the running statistics by others, in the order of `statistics`."""
        others = iter(values)
        for layer in self._layers:
            layer.buffers = {name: next(others) for name in layer.buffers}

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

    @contextmanager
    def refreshed(self, params: Sequence[Tensor], batches: Iterable[Tensor]) -> Iterator[None]:
        """Give batch normalisation the mean statistics of ``batches`` in the block.

        See `sgdlab.averaging.refresh_statistics`; the generators of the runs are left alone.

        Args:
            params: The parameters that the statistics are to belong to.
            batches: Inputs ``[B, …]`` that all runs have in common.
        """
        norms = [layer for layer in self._layers if isinstance(layer, BatchNorm)]
        if not norms:
            yield
            return
        generators = next((x.generators for x in self._layers if x.generators), [])
        drawn = [generator.get_state() for generator in generators]
        with contextlib.ExitStack() as stack:
            for norm in norms:
                stack.enter_context(norm.anew())
            for x in batches:
                x = self._enter(x.expand(len(params[0]), *x.shape))
                for _, layer, own in self._split(params):
                    x, _ = layer.forward(own, x, True)
            for generator, state in zip(generators, drawn, strict=True):
                generator.set_state(state)
            yield

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
        self,
        params: Sequence[Tensor],
        x: Tensor,
        y: Tensor,
        loss: StackedLoss,
        weight: Tensor | float,
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
