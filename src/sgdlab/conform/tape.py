"""The gradients of a case as flat vectors, for rules that are written in NumPy."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sgdlab.conform.cases import ConformCase

Array = np.ndarray


@dataclass(frozen=True)
class Tape:
    """A case, flat: ``P`` weights of all tensors that are trained, one after the other.

    Attributes:
        start: The initial weights, ``[P]``.
        gradients: ``[steps, P]``, 0 where there is none.
        present: Where there is one, ``[steps, P]``.
        whole: Of each step whether every tensor has a gradient.
        sizes: Of each weight the number of weights of its tensor, ``[P]``.
        has_axes: 1 for weights of tensors with two or more axes, else 0, ``[P]``.
        tensors: Where each tensor begins.
        slices: Where each slice along the first axis begins; of vectors every weight is one.
        shapes: Of each tensor.
    """

    start: Array
    gradients: Array
    present: Array
    whole: Sequence[bool]
    sizes: Array
    has_axes: Array
    tensors: Array
    slices: Array
    shapes: Sequence[tuple[int, ...]]

    def norms(self, v: Array, of: str) -> Array:
        """Return for each weight the L2 norm of its ``tensor``, or of its slice."""
        starts = self.tensors if of == "tensor" else self.slices
        return np.sqrt(self._spread(np.add.reduceat(v * v, starts), starts))

    def rms(self, v: Array) -> Array:
        """Return for each weight the root mean square of its tensor."""
        return self.norms(v, "tensor") / np.sqrt(self.sizes)

    def sums(self, v: Array) -> Array:
        """Return for each weight the sum over its tensor."""
        return self._spread(np.add.reduceat(v, self.tensors), self.tensors)

    def factored(self, v: Array) -> Array:
        """Return row means times column means over the mean of all, as in Adafactor.

        Over the last two axes; tensors with less than two stay as they are.
        """
        made = v.copy()
        for begin, shape in zip(self.tensors, self.shapes, strict=True):
            if len(shape) > 1:
                own = slice(begin, begin + math.prod(shape))
                each = v[own].reshape(shape)
                rows, columns = each.mean(-1, keepdims=True), each.mean(-2, keepdims=True)
                whole = np.maximum(rows.mean(-2, keepdims=True), 1e-300)  # 0 before any gradient
                made[own] = (rows * columns / whole).ravel()
        return made

    def slice_means(self, v: Array) -> Array:
        """Return for each weight the mean of its slice."""
        counts = np.diff(np.append(self.slices, v.size))
        return self._spread(np.add.reduceat(v, self.slices) / counts, self.slices)

    def _spread(self, values: Array, starts: Array) -> Array:
        return np.repeat(values, np.diff(np.append(starts, self.start.size)))


def tape_of(case: ConformCase, only: Sequence[str]) -> Tape:
    """Return the tape of a case over the tensors that are trained; without any named, all."""
    named = {n: p.detach() for n, p in case.model().named_parameters() if not only or n in only}
    shapes = {name: tuple(p.shape) for name, p in named.items()}
    counts = [p.numel() for p in named.values()]
    rows = [[case.gradients[t][name] for name in named] for t in range(len(case.factors))]
    tensors = np.cumsum([0, *counts[:-1]])
    slices: list[int] = []
    for begin, count, shape in zip(tensors, counts, shapes.values(), strict=True):
        width = count // shape[0] if shape else 1
        slices += range(int(begin), int(begin) + count, width)
    return Tape(
        start=flat(named),
        gradients=np.array([
            np.concatenate([
                np.zeros(n) if g is None else g.numpy().ravel()
                for g, n in zip(row, counts, strict=True)
            ])
            for row in rows
        ]),
        present=np.array([
            np.repeat([g is not None for g in row], counts) for row in rows
        ]),
        whole=[all(g is not None for g in row) for row in rows],
        sizes=np.repeat(counts, counts),
        has_axes=np.repeat([float(len(s) > 1) for s in shapes.values()], counts),
        tensors=tensors,
        slices=np.array(slices),
        shapes=list(shapes.values()),
    )  # fmt: skip


def flat(weights: Mapping[str, torch.Tensor], only: Sequence[str] = ()) -> Array:
    """Return tensors as one vector, in their order."""
    kept = [w for name, w in weights.items() if not only or name in only]
    return torch.cat([w.reshape(-1) for w in kept]).numpy()
