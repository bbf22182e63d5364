"""Batch normalisation of many runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from sgdlab.stacked.layers.base import Gradients, Layer, Params, Saved


class BatchNorm(Layer):
    """`torch.nn.BatchNorm1d` of ``[R, B, C]`` and `BatchNorm2d` of ``[R, C, H, W, B]``.

    With mean ``μ`` and variance ``σ²`` of each channel over its ``n`` values,
    ``x̂ = (x - μ)/√(σ² + ε)`` and ``y = w·x̂ + b``; then ``∂b = Σd``, ``∂w = Σd·x̂`` and
    ``∂x = (w/√(σ² + ε))·(d - ∂b/n - x̂·∂w/n)``.
    """

    modules = (nn.BatchNorm1d, nn.BatchNorm2d)

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module)
        norm = cast(nn.BatchNorm1d, module)
        self._eps = norm.eps
        self._momentum = norm.momentum
        self._tracks = norm.running_mean is not None

    @classmethod
    def refused_setting(cls, module: Any) -> str | None:
        """Refuse batch statistics in evaluation; see `Layer.refused_setting`."""
        return None if module.track_running_stats else "batch norm without running statistics"

    def forward(self, params: Params, x: Tensor, train: bool) -> tuple[Tensor, Saved]:
        """See `Layer.forward`; running statistics advance in training.

        Raises:
            ValueError: Batch statistics of a single value per channel.
        """
        values, axis = (x.flatten(2), 2) if x.ndim == 5 else (x, 1)
        if not train and self._tracks:
            mean, variance = (self.buffers[f"running_{k}"].unsqueeze(axis) for k in ("mean", "var"))
            scale = (variance + self._eps).sqrt_().reciprocal_()
            if params:
                scale = scale * params[0].unsqueeze(axis)
            y = (values - mean).mul_(scale)
            saved = ()
        else:
            count = values.shape[axis]
            if count == 1:
                size = x.permute(0, 4, 1, 2, 3).shape[1:] if x.ndim == 5 else x.shape[1:]
                raise ValueError(
                    f"Expected more than 1 value per channel when training, got input size {size}"
                )
            mean = values.sum(axis, keepdim=True).div_(count)
            normal = values - mean
            squares = (normal * normal).sum(axis, keepdim=True)
            if self._tracks:
                self._track(mean.squeeze(axis), (squares / (count - 1)).squeeze(axis))
            scale = squares.div_(count).add_(self._eps).sqrt_().reciprocal_()
            normal.mul_(scale)
            saved = (normal, scale)
            y = normal * params[0].unsqueeze(axis) if params else normal
        if params:
            y.add_(params[1].unsqueeze(axis))
        return y.view(x.shape), saved

    @contextmanager
    def anew(self) -> Iterator[None]:
        """Begin in the block with statistics of no batch, and average all that follow."""
        kept, momentum = self.buffers, self._momentum
        self.buffers = {name: torch.zeros_like(buffer) for name, buffer in kept.items()}
        self._momentum = None
        try:
            yield
        finally:
            self.buffers, self._momentum = kept, momentum

    def backward(self, params: Params, saved: Saved, d: Tensor, wants_dx: bool) -> Gradients:
        """See `Layer.backward`."""
        normal, scale = saved
        shape = d.shape
        d, axis = (d.flatten(2), 2) if d.ndim == 5 else (d, 1)
        db = d.sum(axis, keepdim=True)
        products = d * normal
        dw = products.sum(axis, keepdim=True)
        gradients = [dw.squeeze(axis), db.squeeze(axis)] if params else []
        if not wants_dx:
            return None, gradients
        if params:
            scale = scale * params[0].unsqueeze(axis)
        count = d.shape[axis]
        torch.mul(normal, dw / count, out=products)
        dx = d.sub_(db / count).sub_(products).mul_(scale)
        return dx.view(shape), gradients

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        batches = self.buffers["num_batches_tracked"]
        batches.add_(1)
        for name, value in (("running_mean", mean), ("running_var", variance)):
            running = self.buffers[name]
            if self._momentum is None:  # the average of all batches
                share = batches.to(value.dtype).reciprocal_().unsqueeze(1)
                running.mul_(1 - share).add_(value * share)
            else:
                running.mul_(1 - self._momentum).add_(value * self._momentum)
