"""From images to vectors, in many runs."""

from torch import Tensor, nn

from sgdlab.stacked.layers.base import Gradients, Layer, Params, Saved


class ToVectors(Layer):
    """``[R, C, H, W, B] -> [R, B, C·H·W]``, in the order of `torch.flatten`; vectors pass."""

    def __init__(self) -> None:
        super().__init__(nn.Identity())

    def forward(self, params: Params, x: Tensor, train: bool) -> tuple[Tensor, Saved]:
        """See `Layer.forward`."""
        self._shape = x.shape
        if x.ndim < 5:
            return x, ()
        return x.flatten(1, 3).mT.contiguous(), ()

    def backward(self, params: Params, saved: Saved, d: Tensor, wants_dx: bool) -> Gradients:
        """See `Layer.backward`."""
        if not wants_dx or len(self._shape) < 5:
            return (d if wants_dx else None), []
        return d.mT.contiguous().view(self._shape), []
