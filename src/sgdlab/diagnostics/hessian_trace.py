"""The sum of the eigenvalues of the Hessian."""

import numpy as np
import torch
from torch import Tensor

from sgdlab.diagnostics.base import Moment, Quantity, Subject
from sgdlab.diagnostics.curvature import (
    Curvature,
    check_settings,
    curvature,
    examples_of,
    probe,
    rademacher,
)
from sgdlab.diagnostics.lanczos import Basis


class HessianTrace(Quantity):
    """The trace of the Hessian of the training loss, before the update.

    ``E[zᵀHz] = TrH`` for independent random signs ``z`` (Hutchinson 1990), with a variance of twice
    the squares off the diagonal, most of which belong to the few largest eigenvalues. Products that
    are known from `Sharpness` take these out, without bias (Hutch++): with ``Q`` an orthonormal
    basis of their vectors and ``z' = z - QQᵀz``::

        TrH ≈ Tr(QᵀHQ) + mean over probes of z'ᵀHz'

    ``Q`` must not depend on ``z``, which has a random stream of its own.

    Source: Hutchinson (1990); Meyer, Musco, Musco and Woodruff (2021), "Hutch++: optimal stochastic
    trace estimation".

    Args:
        examples: How many examples of the training split are used, from 1; None:
            `sgdlab.diagnostics.curvature.subset_size` decides.
        probes: The number of random vectors, from 1.

    Raises:
        InputError: A setting is out of its range.
    """

    provides = ("hessian_trace",)
    uses = ("sharpness",)

    def __init__(self, examples: int | None = None, probes: int = 1) -> None:
        key = "diagnostics.quantities.hessian_trace"
        check_settings(key, examples, probes=probes)
        self._asked = examples
        self._probes = probes

    def begin(self, subject: Subject) -> tuple[str, ...]:
        """Return the column; see `Quantity.begin`."""
        self._examples = examples_of(subject, self._asked)
        return ("hessian_trace",)

    def measure(self, subject: Subject, moment: Moment) -> Tensor:
        """Return the trace, ``[1]``."""
        value = trace_of(subject, moment, self._examples, self._probes)
        return torch.tensor([value], dtype=torch.float64)


def trace_of(subject: Subject, moment: Moment, examples: int, probes: int = 1) -> float:
    """Return the trace before an update, known already if at least as many probes went into it."""
    key = f"hessian_trace.{examples}"
    if moment.shared.get(key, (0,))[0] < probes:
        here = curvature(subject, moment, examples)
        generator = probe(subject, "trace", moment.step)
        top = moment.shared.get(f"sharpness.{examples}")
        basis = None if top is None else top.basis
        moment.shared[key] = (probes, hutchinson(here, probes, generator, basis))
    return moment.shared[key][1]


def hutchinson(
    here: Curvature, probes: int, generator: torch.Generator, known: Basis | None = None
) -> float:
    """Return an unbiased estimate of the trace; see `HessianTrace`."""
    total = 0.0
    for _ in range(probes):
        z = rademacher(len(here.gradient), generator, here.gradient)
        if known is not None:
            z -= (known.vectors @ z) @ known.vectors
        total += float(z.double() @ here.product(z).double())
    exact = 0.0 if known is None else float(np.trace(known.small))
    return exact + total / probes
