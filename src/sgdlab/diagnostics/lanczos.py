"""The largest eigenvalue of a symmetric matrix that is known by its products alone."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]
"""``v ↦ H·v``, vectors ``[d]``."""

_DEPENDENT = 1e-3
"""Smallest eigenvalue of the Gram matrix of unit vectors that is told from rounding: products of
directions below would be magnified thirtyfold."""


class Basis:
    """Orthonormal vectors ``Q``, their products ``H·Q``, and ``QᵀHQ``; vectors are rows.

    Args:
        capacity: The number of vectors that it can hold.
        like: A vector of the dtype, device and size of all.
    """

    def __init__(self, capacity: int, like: Tensor) -> None:
        self._vectors = like.new_empty(capacity, len(like))
        self._products = like.new_empty(capacity, len(like))
        self._small = np.zeros((capacity, capacity))
        self.size = 0

    @property
    def vectors(self) -> Tensor:
        """``Q``, ``[size, d]``."""
        return self._vectors[: self.size]

    @property
    def products(self) -> Tensor:
        """``H·Q``, ``[size, d]``."""
        return self._products[: self.size]

    @property
    def small(self) -> np.ndarray:
        """``QᵀHQ``, ``[size, size]``, in float64."""
        return self._small[: self.size, : self.size]

    def add(self, v: Tensor, hv: Tensor) -> bool:
        """Add a vector of length 1 that is orthogonal to all, and its product, if it is finite."""
        self._vectors[self.size] = v
        self._products[self.size] = hv
        column = (self._vectors[: self.size + 1] @ hv).double().cpu().numpy()
        if not np.isfinite(column).all():
            return False
        self.size += 1
        self.small[-1] = self.small[:, -1] = column
        return True

    def add_known(self, vectors: Tensor, products: Tensor) -> None:
        """Start with what any vectors span whose products are known, by rows."""
        sizes = vectors.norm(dim=1, keepdim=True)
        # Of length 1, so that the Gram matrix tells dependence and not size.
        vectors, products = vectors / sizes, products / sizes
        gram = (vectors.double() @ vectors.double().T).cpu().numpy()
        if not np.isfinite(gram).all():
            return
        values, parts = np.linalg.eigh(gram)
        told = values > _DEPENDENT
        for part in (parts[:, told] / np.sqrt(values[told])).T:
            row = torch.from_numpy(part).to(vectors)
            self.add(row @ vectors, row @ products)

    def remainder(self, v: Tensor) -> Tensor | None:
        """Return ``v`` without its part in the basis, of length 1; None where nothing is left."""
        q, rest = self.vectors, v
        size = float(v.norm())
        for _ in range(2):  # twice is enough (Parlett 1998)
            rest = torch.addmv(rest, q.T, q @ rest, alpha=-1) if self.size else rest
        left = float(rest.norm())
        usable = math.isfinite(left) and left > 100 * torch.finfo(v.dtype).eps * size
        return rest / left if usable else None

    def largest(self) -> tuple[float, Tensor, Tensor]:
        """Return the largest Ritz value ``θ``, its vector ``x``, and ``Hx - θx``."""
        values, vectors = np.linalg.eigh(self.small)
        value, parts = float(values[-1]), torch.from_numpy(vectors[:, -1]).to(self._vectors)
        x = parts @ self.vectors
        return value, x, torch.addmv(x, self.products.T, parts, beta=-value)


@dataclass
class Ritz:
    """The largest eigenvalue of a matrix within a subspace.

    Attributes:
        value: ``θ = xᵀHx``, at most the largest eigenvalue ``λ``.
        vector: ``x``, of length 1.
        residual: ``|Hx - θx|``; there is an eigenvalue of ``H`` within it of ``θ``.
        basis: An orthonormal basis of the subspace.
    """

    value: float
    vector: Tensor
    residual: float
    basis: Basis


def largest(
    product: Product, start: Tensor, *, iterations: int, tolerance: float,
    known: tuple[Tensor, Tensor] | None = None,
) -> Ritz | None:  # fmt: skip
    """Return the algebraically largest eigenvalue of a symmetric matrix ``H``, by Lanczos.

    The basis of ``start, H·start, H²·start, …`` grows by one product per iteration, each new vector
    orthogonalised against all (full reorthogonalisation: without it, copies of eigenvalues that
    have converged would fill the basis). In it the largest eigenvalue of ``QᵀHQ`` is found, in
    float64. Next comes the residual of the Ritz vector, which for a single start is Lanczos's next
    vector; with ``known`` products beside it, it is the Davidson method's without preconditioning.

    Power iteration would find the eigenvalue of largest *size*, which may be a negative one.

    Source: Lanczos (1950); Parlett (1998), "The symmetric eigenvalue problem", chapter 13.

    Args:
        product: ``v ↦ H·v``.
        start: Any vector that is not orthogonal to the eigenvector; near to it is better.
        iterations: Products at most; 0: only what is known.
        tolerance: Stops when the residual is below this share of the value. Its error is then
            about ``tolerance²`` times the value over the gap to the next eigenvalue, as a share.
        known: Vectors that belong into the basis as well, and their products, both by rows.

    Returns:
        None where there is nothing to work with: no vector, or values that are not finite.
    """
    basis = Basis(iterations + (0 if known is None else len(known[0])), start)
    if known is not None:
        basis.add_known(*known)
    new = basis.remainder(start) if iterations else None
    best = basis.largest() if new is None and basis.size else None
    for made in range(1, iterations + 1):
        if new is None:
            break
        if not basis.add(new, product(new)):
            return None
        best = value, _, residual = basis.largest()
        # The first product only shows where to go.
        if made > 1 and float(residual.norm()) <= tolerance * abs(value):
            break
        new = basis.remainder(residual) if made < iterations else None
    if best is None:
        return None
    value, vector, residual = best
    return Ritz(value, vector, float(residual.norm()), basis)
