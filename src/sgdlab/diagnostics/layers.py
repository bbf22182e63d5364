"""The Hessian layer by layer, at the end of a run."""

import torch

from sgdlab.diagnostics.base import Conclusion, DiagnosticTable, Subject
from sgdlab.diagnostics.curvature import Curvature, check_settings, probe, rademacher, subset_size
from sgdlab.diagnostics.lanczos import largest

COLUMNS = ("layer", "num_parameters", "sharpness", "trace", "trace_share", "examples")


class Layers(Conclusion):
    """Size, sharpness and trace of every layer's diagonal block of the Hessian.

    Layers are the modules that hold parameters. ``sharpness`` is the top eigenvalue of the block,
    which is at most that of the whole Hessian; ``trace`` that of the block, and ``trace_share`` its
    part of the sum over all layers (the traces of the blocks add up to that of the Hessian). Where
    layers differ by orders of magnitude, as in transformers, one learning rate fits none of them,
    and adaptive methods gain (Zhang et al. 2024).

    A random sign vector over all parameters estimates all traces at once: for the block ``l``,
    ``E[z_lᵀ·(Hz)_l] = Tr H_ll``.

    Source: Zhang, Chen, Ding, Li, Sun and Luo (2024), "Why transformers need Adam: a Hessian
    perspective".

    Args:
        examples: How many examples of the training split are used, from 1; None:
            `sgdlab.diagnostics.curvature.subset_size` decides.
        iterations: The number of products per layer at most, from 1.
        tolerance: Lanczos stops where the residual is below this share of the eigenvalue.
        probes: The number of random vectors for the traces, from 1.

    Raises:
        InputError: A setting is out of its range.
    """

    def __init__(
        self, examples: int | None = None, iterations: int = 12, tolerance: float = 0.05,
        probes: int = 10,
    ) -> None:  # fmt: skip
        key = "diagnostics.at_end.layers"
        check_settings(key, examples, iterations, tolerance, probes)
        self._examples = examples
        self._iterations = iterations
        self._tolerance = tolerance
        self._probes = probes

    def conclude(self, subject: Subject) -> dict[str, DiagnosticTable]:
        """Return ``layers.csv``."""
        here = Curvature(subject, subject.parameters, self._examples or subset_size(subject))
        traces = self._traces(subject, here)
        total = sum(traces.values())
        rows = [
            (
                name,
                sum(subject.parameters[i].numel() for i in positions),
                self._sharpness(subject, here, positions),
                traces[name],
                traces[name] / total if total > 0 else None,
                here.examples,
            )
            for name, positions in subject.layers.items()
        ]
        return {"layers.csv": DiagnosticTable(COLUMNS, rows)}

    def _sharpness(self, subject: Subject, here: Curvature, positions: list[int]) -> float | None:
        sizes = [p.numel() for p in subject.parameters]
        inside = torch.cat(
            [torch.full((size,), i in positions) for i, size in enumerate(sizes)]
        ).to(here.gradient.device)
        slope = here.gradient * inside
        signs = rademacher(len(slope), probe(subject, "layers", positions[0]), slope) * inside
        found = largest(
            lambda v: here.product(v) * inside,
            signs / signs.norm() + slope / slope.norm().clamp(min=torch.finfo(slope.dtype).tiny),
            iterations=self._iterations,
            tolerance=self._tolerance,
        )
        return None if found is None else found.value

    def _traces(self, subject: Subject, here: Curvature) -> dict[str, float]:
        sizes = [p.numel() for p in subject.parameters]
        sums = torch.zeros(len(sizes), dtype=torch.float64)
        for index in range(self._probes):
            z = rademacher(len(here.gradient), probe(subject, "layer_traces", index), here.gradient)
            products = (z.double() * here.product(z).double()).split(sizes)
            sums += torch.stack([part.sum() for part in products]).cpu()
        return {
            name: float(sums[positions].sum()) / self._probes
            for name, positions in subject.layers.items()
        }
