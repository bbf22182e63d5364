"""Dense layers of many runs."""

from typing import cast

from torch import Tensor, nn

from sgdlab.models.parts import Readout
from sgdlab.stacked.layers.base import Gradients, Layer, Params, Saved
from sgdlab.stacked.layers.product import product


class Dense(Layer):
    """`torch.nn.Linear` and μP's `Readout`: ``o = (x / m_in)·Wᵀ + b`` with ``m_in = 1``.

    Weights are kept transposed, ``[R, in, out]``: forward and weight gradient are then products
    in the order that the library computes fastest, a quarter faster than torch's own.
    """

    modules = (nn.Linear, Readout)

    def __init__(self, module: nn.Module) -> None:
        super().__init__(module)
        self._m_in = float(getattr(module, "m_in", 1.0))

    def pack(self, name: str, value: Tensor) -> Tensor:
        """Transpose the weights."""
        return value.mT.contiguous() if name == "weight" else value

    unpack = pack

    def forward(self, params: Params, x: Tensor, train: bool) -> tuple[Tensor, Saved]:
        """See `Layer.forward`; ``x [R, B, in]``."""
        if self._m_in != 1.0:
            x = x / self._m_in
        out = product(x, params[0])
        if len(params) > 1:
            out.add_(params[1].unsqueeze(1))
        return out, (x,)

    def backward(self, params: Params, saved: Saved, d: Tensor, wants_dx: bool) -> Gradients:
        """See `Layer.backward`; ``d [R, B, out]``."""
        gradients = [product(saved[0].mT, d)]
        if len(params) > 1:
            gradients.append(d.sum(1))
        if not wants_dx:
            return None, gradients
        dx = product(d, cast(Tensor, params[0].mT))
        return (dx if self._m_in == 1.0 else dx.div_(self._m_in)), gradients
