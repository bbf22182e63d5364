"""The largest eigenvalue of the Hessian."""

import math
from typing import Any

import torch
from torch import Tensor

from sgdlab.diagnostics.base import Moment, Quantity, Subject
from sgdlab.diagnostics.curvature import (
    check_settings,
    curvature,
    examples_of,
    probe,
    rademacher,
)
from sgdlab.diagnostics.lanczos import Product, Ritz, largest
from sgdlab.diagnostics.noise_alignment import noise_pair


class TopEigenvalue(Quantity):
    """A largest eigenvalue, by Lanczos from near the eigenvector that was found last.

    Args:
        examples: How many examples of the training split the Hessian is taken over, from 1; None:
            `sgdlab.diagnostics.curvature.subset_size` decides.
        iterations: The number of products with the Hessian at most, from 1.
        tolerance: The search stops where the residual is below this share of the eigenvalue.

    Raises:
        InputError: A setting is out of its range.
    """

    def __init__(
        self, examples: int | None = None, iterations: int = 4, tolerance: float = 0.1
    ) -> None:
        key = f"diagnostics.quantities.{self.columns[0]}"
        check_settings(key, examples, iterations, tolerance)
        self._asked = examples
        self._iterations = iterations
        self._tolerance = tolerance
        self._vector: Tensor | None = None

    def begin(self, subject: Subject) -> tuple[str, ...]:
        """Return the columns; see `Quantity.begin`."""
        self._examples = examples_of(subject, self._asked)
        self._vector = None
        return self.columns

    def _find(
        self, product: Product, gradient: Tensor, subject: Subject,
        known: tuple[Tensor, Tensor] | None,
    ) -> Ritz | None:  # fmt: skip
        """Return the eigenvalue of a matrix, and start there the next time."""
        found = largest(
            product, self._start(gradient, subject),
            iterations=self._iterations, tolerance=self._tolerance, known=known,
        )  # fmt: skip
        self._vector = None if found is None else found.vector
        return found

    def _start(self, gradient: Tensor, subject: Subject) -> Tensor:
        """Return the last eigenvector, or else a random one, plus half of the gradient."""
        last = self._vector
        if last is None:
            last = rademacher(len(gradient), probe(subject, "lanczos", 0), gradient)
        last = last.to(gradient)
        size = float(gradient.norm())
        share = 0.5 / size if math.isfinite(size) and size > 0 else 0.0
        return torch.add(last / last.norm(), gradient, alpha=share)

    def state_dict(self) -> dict[str, Any]:
        """Return the eigenvector that was found last."""
        return {"vector": self._vector}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the eigenvector that was found last."""
        self._vector = state["vector"]


class Sharpness(TopEigenvalue):
    """The top eigenvalue ``λ`` of the Hessian of the training loss, before the update.

    By Lanczos (`sgdlab.diagnostics.lanczos`), started near the vector of the last measurement and
    the present gradient, both of which lie mostly within the few top eigenvectors (Gur-Ari, Roberts
    and Dyer 2018). A product along the gradients' noise, which `NoiseAlignment` needs anyway, is in
    the basis from the start.

    Over the whole training split if it has no more than ``examples``, else over a fixed subset of
    so many, evenly spaced. The top eigenvalue of a subset is on average above that of all examples;
    docs/hessian.md has what that comes to. Weight decay is not part of it.
    """

    columns = ("sharpness",)
    provides = ("sharpness",)

    def measure(self, subject: Subject, moment: Moment) -> Tensor:
        """Return the eigenvalue, ``[1]``; NaN where the Hessian is not finite."""
        here = curvature(subject, moment, self._examples)
        q, hq = noise_pair(subject, moment, self._examples)
        found = self._find(here.product, here.gradient, subject, (q[None], hq[None]))
        moment.shared[f"sharpness.{self._examples}"] = found
        value = float("nan") if found is None else found.value
        return torch.tensor([value], dtype=torch.float64)
