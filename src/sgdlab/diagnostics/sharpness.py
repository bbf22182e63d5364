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
from sgdlab.diagnostics.lanczos import largest
from sgdlab.diagnostics.noise_alignment import noise_pair


class Sharpness(Quantity):
    """The top eigenvalue ``λ`` of the Hessian of the training loss, before the update.

    By Lanczos (`sgdlab.diagnostics.lanczos`), started near the vector of the last measurement and
    the present gradient, both of which lie mostly within the few top eigenvectors (Gur-Ari, Roberts
    and Dyer 2018). A product along the gradients' noise, which `NoiseAlignment` needs anyway, is in
    the basis from the start.

    Over the whole training split if it has no more than ``examples``, else over a fixed subset of
    so many, evenly spaced. The top eigenvalue of a subset is on average above that of all examples;
    docs/hessian.md has what that comes to. Weight decay is not part of it.

    Args:
        examples: From 1; None: `sgdlab.diagnostics.curvature.subset_size` decides.
        iterations: Products with the Hessian at most, from 1.
        tolerance: Stops where the residual is below this share of the eigenvalue.

    Raises:
        InputError: A setting is out of its range.
    """

    def __init__(
        self, examples: int | None = None, iterations: int = 4, tolerance: float = 0.1
    ) -> None:
        check_settings("diagnostics.quantities.sharpness", examples, iterations, tolerance)
        self._asked = examples
        self._iterations = iterations
        self._tolerance = tolerance
        self._vector: Tensor | None = None

    def begin(self, subject: Subject) -> tuple[str, ...]:
        """Return the column; see `Quantity.begin`."""
        self._examples = examples_of(subject, self._asked)
        self._vector = None
        return ("sharpness",)

    def measure(self, subject: Subject, moment: Moment) -> Tensor:
        """Return the eigenvalue, ``[1]``; NaN where the Hessian is not finite."""
        here = curvature(subject, moment, self._examples)
        q, hq = noise_pair(subject, moment, self._examples)
        found = largest(
            here.product,
            seeded(self._vector, here.gradient, subject),
            iterations=self._iterations,
            tolerance=self._tolerance,
            known=(q[None], hq[None]),
        )
        self._vector = None if found is None else found.vector
        moment.shared[f"sharpness.{self._examples}"] = found
        value = float("nan") if found is None else found.value
        return torch.tensor([value], dtype=torch.float64)

    def state_dict(self) -> dict[str, Any]:
        """Return the last vector."""
        return {"vector": self._vector}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the last vector."""
        self._vector = state["vector"]


def seeded(last: Tensor | None, gradient: Tensor, subject: Subject) -> Tensor:
    """Return where Lanczos starts: the last vector, or a random one, and half of the gradient."""
    if last is None:
        last = rademacher(len(gradient), probe(subject, "lanczos", 0), gradient)
    last = last.to(gradient)
    size = float(gradient.norm())
    share = 0.5 / size if math.isfinite(size) and size > 0 else 0.0
    return torch.add(last / last.norm(), gradient, alpha=share)
