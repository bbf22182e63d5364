"""From images to vectors, in many runs."""

from collections.abc import Sequence

from torch import Tensor, nn

from sgdlab.stacked.layers.base import Layer, Saved


class ToVectors(Layer):
    """``[R, C, H, W, B] -> [R, B, C·H·W]``, in the order of `torch.flatten`; vectors pass."""

    def __init__(self) -> None:
        super().__init__(nn.Identity())

    def forward(self, params: Sequence[Tensor], x: Tensor, train: bool) -> tuple[Tensor, Saved]:
        """See `Layer.forward`."""
        self._shape = x.shape
        if x.ndim < 5:
            return x, ()
        return x.flatten(1, 3).mT.contiguous(), ()

    def backward(
        self, params: Sequence[Tensor], saved: Saved, d: Tensor, input_gradient: bool
    ) -> tuple[Tensor | None, list[Tensor]]:
        """See `Layer.backward`."""
        if not input_gradient or len(self._shape) < 5:
            return (d if input_gradient else None), []
        return d.mT.contiguous().view(self._shape), []
