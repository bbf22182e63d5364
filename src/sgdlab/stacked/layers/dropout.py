"""Dropout of many runs."""

from typing import cast

from torch import Tensor, nn

from sgdlab.stacked.layers.base import Gradients, Layer, Params, Saved


class Dropout(Layer):
    """`torch.nn.Dropout`, ``y = x·m/(1 - p)``, with masks from a generator of each run.

    On CPU they are those of the ordinary trainer from the same state of the generator: torch draws
    a mask in the layout ``[B, …]`` of one run, in the inputs' dtype. None are drawn with ``p = 0``
    and ``p = 1``.
    """

    modules = (nn.Dropout,)

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module)
        self._p = cast(nn.Dropout, module).p

    def forward(self, params: Params, x: Tensor, train: bool) -> tuple[Tensor, Saved]:
        """See `Layer.forward`; ``x [R, B, C]`` or ``[R, C, H, W, B]``."""
        if not train or self._p == 0:
            return x, ()
        if self._p == 1:
            mask = x.new_zeros(())
            return x * mask, (mask,)
        images = x.ndim == 5
        mask = x.new_empty(x.permute(0, 4, 1, 2, 3).shape if images else x.shape)
        for own, generator in zip(mask, self.generators, strict=True):
            own.bernoulli_(1 - self._p, generator=generator)
        mask.div_(1 - self._p)
        if images:
            mask = mask.permute(0, 2, 3, 4, 1).contiguous()
        return x * mask, (mask,)

    def backward(self, params: Params, saved: Saved, d: Tensor, wants_dx: bool) -> Gradients:
        """See `Layer.backward`."""
        if not wants_dx:
            return None, []
        return (d.mul_(saved[0]) if saved else d), []
