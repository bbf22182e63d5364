"""How sharp the place is where a run ended."""

import torch
from torch import Tensor

from sgdlab.checks import require_number
from sgdlab.diagnostics.base import Conclusion, DiagnosticTable, Subject, flat
from sgdlab.diagnostics.curvature import Curvature, check_settings, probe, rademacher, subset_size
from sgdlab.diagnostics.hessian_trace import hutchinson
from sgdlab.diagnostics.lanczos import largest
from sgdlab.diagnostics.loss_at import LossAt

COLUMNS = ("loss", "sharpness", "hessian_trace", "sam_sharpness", "rho", "examples")


class Minimum(Conclusion):
    """Loss, top eigenvalue, trace, and the rise of the loss within a ball.

    ``sam_sharpness`` is ``L(w + ρ·g/|g|) - L(w)`` with the gradient ``g`` at ``w``: one step of
    ascent, as sharpness-aware minimisation takes it. It is a lower bound of what it stands for,
    ``max_{|ε| <= ρ} L(w + ε) - L(w)``, and tight where the loss is linear over the ball; where the
    gradient is small, ``ρ²·sharpness/2`` is nearer to the maximum.

    All over the same examples of the training split, with the model as in evaluation. Neither of
    these measures is invariant to how a network is parametrised: compare runs of one model.

    Source: Foret, Kleiner, Mobahi and Neyshabur (2021), "Sharpness-aware minimization for
    efficiently improving generalization".

    Args:
        examples: How many examples of the training split are used, from 1; None:
            `sgdlab.diagnostics.curvature.subset_size` decides.
        rho: ``ρ``, the radius of the ball, above 0.
        iterations: The number of products of Lanczos at most, from 1.
        tolerance: Lanczos stops where the residual is below this share of the eigenvalue.
        probes: The number of random vectors for the trace, from 1.

    Raises:
        InputError: A setting is out of its range.
    """

    def __init__(
        self, examples: int | None = None, rho: float = 0.05, iterations: int = 20,
        tolerance: float = 0.02, probes: int = 10,
    ) -> None:  # fmt: skip
        key = "diagnostics.at_end.minimum"
        check_settings(key, examples, iterations, tolerance, probes)
        require_number(f"{key}.rho", rho, 0, open_low=True)
        self._examples = examples
        self._rho = rho
        self._iterations = iterations
        self._tolerance = tolerance
        self._probes = probes

    def conclude(self, subject: Subject) -> dict[str, DiagnosticTable]:
        """Return ``minimum.csv``, one row."""
        count = self._examples or subset_size(subject)
        here = Curvature(subject, subject.parameters, count)
        signs = rademacher(len(here.gradient), probe(subject, "minimum", 0), here.gradient)
        slope = here.gradient / here.gradient.norm().clamp(min=torch.finfo(signs.dtype).tiny)
        top = largest(
            here.product,
            signs / signs.norm() + slope,
            iterations=self._iterations,
            tolerance=self._tolerance,
        )
        generator = probe(subject, "minimum", 1)
        trace = hutchinson(here, self._probes, generator, None if top is None else top.basis)
        row = (
            float(here.loss),
            None if top is None else top.value,
            trace,
            self._rise(subject, slope, LossAt(subject, count)),
            self._rho,
            here.examples,
        )
        return {"minimum.csv": DiagnosticTable(COLUMNS, [row])}

    def _rise(self, subject: Subject, slope: Tensor, loss_at: LossAt) -> float:
        there = flat(subject.parameters) + self._rho * slope
        parts = there.split([p.numel() for p in subject.parameters])
        moved = [v.view_as(p) for v, p in zip(parts, subject.parameters, strict=True)]
        return loss_at(moved) - loss_at(subject.parameters)
