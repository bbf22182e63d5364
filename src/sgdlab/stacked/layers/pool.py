"""Pooling of many runs."""

from typing import Any, cast

import torch
from torch import Tensor, nn

from sgdlab.stacked.layers.base import Gradients, Layer, Params, Saved

_ops: Any = torch.ops.aten  # pyright knows no operators by name


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


class MaxPool2d(Layer):
    """`torch.nn.MaxPool2d` of images ``[R, C, H, W, B]``, by torch's own operators.

    To these, ``[R·C, H, W, B]`` are channels-last images with the examples as channels. They
    compare and copy only, so a run's bits depend on nothing else.
    """

    modules = (nn.MaxPool2d,)

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module)
        pool = cast(nn.MaxPool2d, module)
        kernel = _pair(pool.kernel_size)
        stride = _pair(pool.stride)
        self._window = (kernel, stride, _pair(pool.padding), _pair(pool.dilation), pool.ceil_mode)

    @classmethod
    def refused_setting(cls, module: Any) -> str | None:
        """Refuse a second result; see `Layer.refused_setting`."""
        return "pooling that returns indices" if module.return_indices else None

    def forward(self, params: Params, x: Tensor, train: bool) -> tuple[Tensor, Saved]:
        """See `Layer.forward`; ``x [R, C, H, W, B]``."""
        images = _images(x)
        y, where = _ops.max_pool2d_with_indices(images, *self._window)
        return _runs(y, len(x)), (images, where)

    def backward(self, params: Params, saved: Saved, d: Tensor, wants_dx: bool) -> Gradients:
        """See `Layer.backward`; of equal maxima the first takes the gradient, as in torch."""
        if not wants_dx:
            return None, []
        images, where = saved
        dx = _ops.max_pool2d_with_indices_backward(_images(d), images, *self._window, where)
        return _runs(dx, len(d)), []


def _images(x: Tensor) -> Tensor:
    return x.flatten(0, 1).permute(0, 3, 1, 2)


def _runs(images: Tensor, runs: int) -> Tensor:
    return images.permute(0, 2, 3, 1).contiguous().unflatten(0, (runs, -1))
