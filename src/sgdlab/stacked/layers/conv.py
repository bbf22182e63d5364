"""Convolutions of many runs."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from sgdlab.stacked.layers.base import Gradients, Layer, Params, Saved
from sgdlab.stacked.layers.product import product

# Patches of rows of one run, and of the runs worked on at once. The first are read back from cache;
# with more of the second, the operations cost less than their calls.
_CPU_BYTES = (2**20, 2**22)
_DEVICE_BYTES = (2**26, 2**28)


class Conv2d(Layer):
    """`torch.nn.Conv2d` without dilation and groups, as one batched product over the runs.

    Images have the batch last, ``[R, C, H, W, B]``: rows of pixels are then long contiguous pieces
    whatever the number of channels, patches are gathered at the speed of memory, and each output
    channel is a contiguous row. With ``x̃`` the patches ``[R, C·k·k, H'·W'·B]`` and weights kept as
    ``[R, C·k·k, O]``, ``o = Wᵀx̃ + b``, ``∂W = x̃dᵀ``, ``∂x̃ = Wd``. Patches take ``k²`` times the
    memory of the image: they are made for a few runs and rows at a time, and again in `backward`.
    """

    modules = (nn.Conv2d,)

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module)
        conv = cast(nn.Conv2d, module)
        self._shape = tuple(conv.weight.shape)
        self._stride = cast(tuple[int, int], conv.stride)
        self._padding = cast(tuple[int, int], conv.padding)
        self._memory: dict[str, Tensor] = {}

    @classmethod
    def refused_setting(cls, module: Any) -> str | None:
        """Refuse groups, dilation and padding that is no number; see `Layer.refused_setting`."""
        if module.groups != 1:
            return "a convolution with groups"
        if module.dilation != (1, 1):
            return "a dilated convolution"
        if module.padding_mode != "zeros":
            return f"a convolution with padding_mode={module.padding_mode}"
        if isinstance(module.padding, str):
            return f"a convolution with padding={module.padding}: give it as a number"
        return None

    def pack(self, name: str, value: Tensor) -> Tensor:
        """Return weights ``[R, O, C, k, k]`` as ``[R, C·k·k, O]``."""
        return value.flatten(2).mT.contiguous() if name == "weight" else value

    def unpack(self, name: str, value: Tensor) -> Tensor:
        """Undo `pack`."""
        if name != "weight":
            return value
        return value.mT.contiguous().view(len(value), *self._shape)

    def forward(self, params: Params, x: Tensor, train: bool) -> tuple[Tensor, Saved]:
        """See `Layer.forward`; ``x [R, C, H, W, B]`` gives ``[R, O, H', W', B]``."""
        x = x[:1].contiguous().expand_as(x) if x.stride(0) == 0 else x.contiguous()
        weight = params[0]
        out = x.new_empty(len(x), weight.shape[2], *self._output_size(x), x.shape[4])
        for runs, parts in self._tiles(x):
            for top, bottom, patches in parts:
                tile = out[runs, :, top:bottom]
                whole = tile.is_contiguous()
                o = tile.flatten(2) if whole else self._scratch("out", x, tile.flatten(2).shape)
                product(weight[runs].mT, patches, o)
                if len(params) > 1:
                    o.add_(params[1][runs].unsqueeze(2))
                if not whole:
                    tile.copy_(o.view(tile.shape))
        return out, (x,)

    def backward(self, params: Params, saved: Saved, d: Tensor, wants_dx: bool) -> Gradients:
        """See `Layer.backward`; ``d [R, O, H', W', B]``."""
        x, weight = saved[0], params[0]
        dw = torch.zeros_like(weight)
        dx = x.new_zeros(x.shape) if wants_dx else None
        for runs, parts in self._tiles(x):
            for top, bottom, patches in parts:
                tile = d[runs, :, top:bottom].flatten(2)
                dw[runs].add_(product(patches, tile.mT))
                if dx is not None:
                    gradients = self._scratch("gradients", x, patches.shape)
                    product(weight[runs], tile, gradients)
                    self._add_patches(dx[runs], gradients, top, bottom)
        return dx, [dw, d.flatten(2).sum(2)] if len(params) > 1 else [dw]

    def _output_size(self, x: Tensor) -> tuple[int, int]:
        """Return height and width of the output."""
        height, width = (
            (size + 2 * padding - kernel) // stride + 1
            for size, padding, kernel, stride in zip(
                x.shape[2:4], self._padding, self._shape[2:], self._stride, strict=True
            )
        )
        return height, width

    def _tiles(self, x: Tensor) -> Iterator[tuple[slice, Iterator[tuple[int, int, Tensor]]]]:
        """Yield a few runs at a time; for these, ranges of rows with their patches.

        The ranges do not depend on the runs, since gradients are summed over them. No part has a
        single run, if there are more.
        """
        height, width = self._output_size(x)
        on_cpu = x.device.type == "cpu"
        least = max(2, torch.get_num_threads()) if on_cpu else 2
        for_rows, for_runs = _CPU_BYTES if on_cpu else _DEVICE_BYTES
        row = math.prod(self._shape[1:]) * width * x.shape[4] * x.itemsize
        count = -(-height // max(1, for_rows // row))
        rows = [height * i // count for i in range(count + 1)]
        many = max(1, len(x) // max(least, for_runs // (row * -(-height // count))))
        ends = [len(x) * i // many for i in range(many + 1)]
        for first, last in pairwise(ends):
            runs = slice(first, last)
            yield runs, self._parts(x[runs], rows)

    def _parts(self, x: Tensor, rows: list[int]) -> Iterator[tuple[int, int, Tensor]]:
        (up, side), (_, _, tall, wide) = self._padding, self._shape
        if up or side:
            x = pad(x, (0, 0, side, side, up, up))
        windows = x.unfold(2, tall, self._stride[0]).unfold(3, wide, self._stride[1])
        windows = windows.permute(0, 1, 5, 6, 2, 3, 4)
        for top, bottom in pairwise(rows):
            some = windows[:, :, :, :, top:bottom]
            patches = self._scratch("patches", x, some.shape).copy_(some)
            yield top, bottom, patches.flatten(4).flatten(1, 3)

    def _scratch(self, name: str, like: Tensor, shape: torch.Size) -> Tensor:
        """Return memory that is kept: new memory costs as much as the arithmetic on it."""
        size = shape.numel()
        kept = self._memory.get(name)
        if kept is None or len(kept) < size or kept.dtype != like.dtype:
            kept = self._memory[name] = like.new_empty(size)
        return kept[:size].view(shape)

    def _add_patches(self, dx: Tensor, patches: Tensor, top: int, bottom: int) -> None:
        """Add the gradients of patches of some rows to those of their pixels."""
        (up, side), (_, channels, tall, wide) = self._padding, self._shape
        _, width = self._output_size(dx)
        taps = patches.view(len(dx), channels, tall, wide, bottom - top, width, dx.shape[4])
        for i in range(tall):
            to_rows, rows = _overlap(top, bottom, i - up, self._stride[0], dx.shape[2])
            for j in range(wide):
                to_columns, columns = _overlap(0, width, j - side, self._stride[1], dx.shape[3])
                dx[:, :, to_rows, to_columns].add_(taps[:, :, i, j, rows, columns])


def _overlap(start: int, stop: int, shift: int, stride: int, size: int) -> tuple[slice, slice]:
    """Return which pixels ``stride·place + shift`` of the places exist, and for which places."""
    first = max(start, -(shift // stride))
    last = min(stop, (size - 1 - shift) // stride + 1)
    if first >= last:
        return slice(0, 0), slice(0, 0)
    pixel = first * stride + shift
    return slice(pixel, (last - 1) * stride + shift + 1, stride), slice(first - start, last - start)
