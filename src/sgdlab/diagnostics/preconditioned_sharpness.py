"""The largest eigenvalue of the Hessian as an optimizer sees it, against what it tolerates."""

from typing import Any

import torch
from torch import Tensor

from sgdlab.diagnostics.base import Moment, Quantity, Subject
from sgdlab.diagnostics.curvature import (
    check_settings,
    curvature,
    examples_of,
)
from sgdlab.diagnostics.lanczos import Basis, largest
from sgdlab.diagnostics.preconditioner import Preconditioner, preconditioner
from sgdlab.diagnostics.sharpness import seeded


class PreconditionedSharpness(Quantity):
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
    products are reused; for SGD there are no others. A subset raises this eigenvalue more than the
    sharpness, as ``P⁻¹`` magnifies directions in which few examples have a gradient: for numbers to
    rely on, ask for all ``examples``.

    Source: Cohen, Ghorbani, Krishnan, Agarwal, Medapati et al. (2022), "Adaptive gradient methods
    at the edge of stability".

    Args:
        examples: As for `Sharpness`.
        iterations: Products at most beside those of `Sharpness`, from 1.
        tolerance: As for `Sharpness`.

    Raises:
        InputError: A setting is out of its range.
    """

    def __init__(
        self, examples: int | None = None, iterations: int = 4, tolerance: float = 0.1
    ) -> None:
        key = "diagnostics.quantities.preconditioned_sharpness"
        check_settings(key, examples, iterations, tolerance)
        self._asked = examples
        self._iterations = iterations
        self._tolerance = tolerance
        self._vector: Tensor | None = None

    def begin(self, subject: Subject) -> tuple[str, ...]:
        """Return the columns; see `Quantity.begin`."""
        self._examples = examples_of(subject, self._asked)
        self._vector = None
        return ("preconditioned_sharpness", "stability_limit", "stability")

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

        found = largest(
            product,
            seeded(self._vector, scale * here.gradient, subject),
            iterations=self._iterations,
            tolerance=self._tolerance,
            known=None if same is None else _transformed(same.basis, scale, by),
        )
        self._vector = None if found is None else found.vector
        return float("nan") if found is None else found.value

    def state_dict(self) -> dict[str, Any]:
        """Return the last vector."""
        return {"vector": self._vector}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the last vector."""
        self._vector = state["vector"]


def _transformed(basis: Basis, scale: Tensor, by: Preconditioner) -> tuple[Tensor, Tensor]:
    """Return products with ``H`` as products with ``P^-½·(±H + decay)·P^-½``."""
    vectors, products = basis.vectors, basis.products
    return vectors / scale, scale * (by.sign * products + by.decay * vectors)
