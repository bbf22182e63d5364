"""Slices of the loss around the place where a run ended."""

import torch
from torch import Tensor

from sgdlab.checks import require_number
from sgdlab.diagnostics.base import Conclusion, DiagnosticTable, Subject
from sgdlab.diagnostics.curvature import probe, subset_size
from sgdlab.diagnostics.loss_at import LossAt
from sgdlab.errors import InputError
from sgdlab.optimizers.kinds import BIAS_AND_NORM, kinds_of

COLUMNS = ("slice", "x", "y", "loss")


class Landscape(Conclusion):
    """The loss along a line and over a plane through the final parameters.

    ``L(w + x·δ)`` and ``L(w + x·δ + y·η)`` for ``x, y`` evenly spaced from ``-span`` to ``span``,
    with random directions normalised by filter: each filter (row of a weight: what belongs to one
    output) of ``δ`` has the norm of that filter of ``w``; biases and the scales of normalisation
    layers stay where they are. So slices of networks whose weights differ in scale can be compared.
    A model that has nothing but vectors (a test problem) is one filter for each of them.

    The directions come from the seed alone, so that runs of one seed are cut alike. Over the same
    examples for all points, with the model as in evaluation.

    Source: Li, Xu, Taylor, Studer and Goldstein (2018), "Visualizing the loss landscape of neural
    nets", section 4.

    Args:
        examples: How many examples of the training split are used, from 1; None:
            `sgdlab.diagnostics.curvature.subset_size` decides.
        points: The odd number of points along an axis of the plane, from 3; the line has twice as
            many, less one.
        span: The distance to the edge, in norms of the weights, above 0.

    Raises:
        InputError: A setting is out of its range.
    """

    def __init__(self, examples: int | None = None, points: int = 15, span: float = 1.0) -> None:
        key = "diagnostics.at_end.landscape"
        if examples is not None:
            require_number(f"{key}.examples", examples, 1)
        require_number(f"{key}.points", points, 3)
        if points % 2 == 0:
            raise InputError(f"{key}.points={points}: must be odd, so that the middle is a point")
        require_number(f"{key}.span", span, 0, open_low=True)
        self._examples = examples
        self._points = points
        self._span = span

    def conclude(self, subject: Subject) -> dict[str, DiagnosticTable]:
        """Return ``landscape.csv``: ``line`` with an empty ``y``, then ``plane``."""
        loss_at = LossAt(subject, self._examples or subset_size(subject))
        centre = [p.detach() for p in subject.parameters]
        along, across = (filter_normalised(subject, index) for index in range(2))

        def loss(x: float, y: float) -> float:
            return loss_at(
                [p + x * a + y * b for p, a, b in zip(centre, along, across, strict=True)]
            )

        line = [("line", x, None, loss(x, 0.0)) for x in self._axis(2 * self._points - 1)]
        axis = self._axis(self._points)
        plane = [("plane", x, y, loss(x, y)) for y in axis for x in axis]
        return {"landscape.csv": DiagnosticTable(COLUMNS, [*line, *plane])}

    def _axis(self, points: int) -> list[float]:
        half = points // 2
        return [self._span * i / half for i in range(-half, half + 1)]


def filter_normalised(subject: Subject, index: int) -> list[Tensor]:
    """Return a random direction with the norms of the parameters' filters; see `Landscape`."""
    generator = probe(subject, "landscape", index)
    kinds = kinds_of(subject.model)
    vectors_only = all(kinds[name] in BIAS_AND_NORM for name in subject.names)
    found: list[Tensor] = []
    for name, p in zip(subject.names, subject.parameters, strict=True):
        # On the CPU, so that it is the same direction on every device.
        noise = torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p)
        if kinds[name] not in BIAS_AND_NORM:
            rows, weights = noise.flatten(1), p.detach().flatten(1)
            ratio = weights.norm(dim=1, keepdim=True) / rows.norm(dim=1, keepdim=True)
            found.append((rows * ratio).view_as(p))
        elif vectors_only:
            found.append(noise * (p.detach().norm() / noise.norm()))
        else:
            found.append(torch.zeros_like(p))
    return found
