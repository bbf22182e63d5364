"""The largest eigenvalue of the Hessian as an optimizer sees it, against what it tolerates."""

import torch
from torch import Tensor

from sgdlab.diagnostics.base import Moment, Subject
from sgdlab.diagnostics.curvature import curvature
from sgdlab.diagnostics.lanczos import Basis
from sgdlab.diagnostics.preconditioner import Preconditioner, preconditioner
from sgdlab.diagnostics.sharpness import TopEigenvalue


class PreconditionedSharpness(TopEigenvalue):
    """The top eigenvalue of ``P⁻¹H``, the limit of stability, and their quotient.

    ``P`` is the diagonal that this very update divided by (`sgdlab.diagnostics.preconditioner`):
    for Adam ``(1 - β₁^t)·(sqrt(v/(1 - β₂^t)) + eps)``, for SGD the identity, each over the
    multiplier of the parameter's learning rate. ``H`` is the Hessian before the update, plus
    coupled weight decay on its diagonal, since that belongs to the gradient. The eigenvalue is that
    of the symmetric ``P^-½·H·P^-½``, which is similar.

    - ``preconditioned_sharpness``: for SGD ``sharpness`` (plus weight decay).
    - ``stability_limit``: the largest at which the optimizer is stable at its present rate, as
      `sgdlab.diagnostics.stability` derives them: 2/lr for gradient descent, 38/lr for Adam with
      ``β₁ = 0.9``. At lr 0 it is infinite.
    - ``stability``: the one over the other. Above 1 the iterates oscillate along the top
      eigenvector; about 1 is where full-batch training settles by itself.

    All three are NaN for an optimizer whose ``P`` is not known. By Lanczos, as `Sharpness`, whose
    products are reused and do not count as ``iterations``; for SGD there are no others. A subset
    raises this eigenvalue more than the sharpness, as ``P⁻¹`` magnifies directions in which few
    examples have a gradient: for numbers to rely on, ask for all ``examples``.

    Source: Cohen, Ghorbani, Krishnan, Agarwal, Medapati et al. (2022), "Adaptive gradient methods
    at the edge of stability".
    """

    columns = ("preconditioned_sharpness", "stability_limit", "stability")
    uses = ("sharpness",)

    def measure(self, subject: Subject, moment: Moment) -> Tensor:
        """Return the three values."""
        found = preconditioner(subject, moment.lr)
        if found is None:
            return torch.full((3,), torch.nan, dtype=torch.float64)
        value = self._largest(subject, moment, found)
        return torch.tensor([value, found.limit, value / found.limit], dtype=torch.float64)

    def _largest(self, subject: Subject, moment: Moment, by: Preconditioner) -> float:
        same = moment.shared.get(f"sharpness.{self._examples}")
        if by.plain and same is not None:
            # To first order in the decay, which is far below the eigenvalues' distance.
            return same.value + float((by.decay * same.vector.square()).sum())
        here = curvature(subject, moment, self._examples)
        scale = by.divisor.rsqrt()

        def product(v: Tensor) -> Tensor:
            x = scale * v
            return scale * (by.sign * here.product(x) + by.decay * x)

        known = None if same is None else _transformed(same.basis, scale, by)
        found = self._find(product, scale * here.gradient, subject, known)
        return float("nan") if found is None else found.value


def _transformed(basis: Basis, scale: Tensor, by: Preconditioner) -> tuple[Tensor, Tensor]:
    """Return products with ``H`` as products with ``P^-½·(±H + decay)·P^-½``."""
    vectors, products = basis.vectors, basis.products
    return vectors / scale, scale * (by.sign * products + by.decay * vectors)
