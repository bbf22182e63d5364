"""Matrix products of many runs."""

import torch
from torch import Tensor

_BYTES = 64  # of a cache line; torch's memory starts at multiples of it


def product(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """Return ``a @ b`` of ``a [R, n, k]`` and ``b [R, k, m]``, contiguous: a new tensor or ``out``.

    On CPU the library rounds by where a matrix starts within a cache line, which differs between
    the runs of a stack: matrices that do not fill whole lines are copied to where they do. And
    with a dimension of 1 it picks its routine by strides that mean nothing then: such products
    are sums of products. Rows of an odd length cost it up to five times as much as whole lines, so
    that the transposed product is taken where its rows are whole.
    """
    n, k, m = a.shape[1], a.shape[2], b.shape[2]
    if k == 1:
        o = a * b
    elif m == 1:
        o = (a * b.mT).sum(2, keepdim=True)
    elif n == 1:
        o = (a.mT * b).sum(1, keepdim=True)
    elif _fills(n, a) and not _fills(m, a):
        o = product(b.mT, a.mT).mT
    elif type(a) is not Tensor:  # a tracer's: it has no address, and compiled bits may differ
        o = torch.bmm(a, b)
    elif a.is_cpu and not (_fills_lines(a) and _fills_lines(b) and _fills(n * m, a)):
        rows = n + -n % (_BYTES // a.itemsize)
        taller = a.new_zeros(len(a), rows, k)
        taller[:, :n] = a
        o = torch.bmm(taller, _on_lines(b))[:, :n]
    elif out is None:
        return torch.bmm(a, b)
    else:
        return torch.bmm(a, b, out=out)
    return o.contiguous() if out is None else out.copy_(o)


def _fills(numbers: int, like: Tensor) -> bool:
    return numbers * like.itemsize % _BYTES == 0


def _fills_lines(x: Tensor) -> bool:
    whole = _fills(x.shape[1] * x.shape[2], x) and _fills(x.stride(0), x)
    return whole and x.data_ptr() % _BYTES == 0


def _on_lines(x: Tensor) -> Tensor:
    if _fills_lines(x):
        return x
    size = x.shape[1] * x.shape[2]
    room = x.new_empty(len(x), size + -size % (_BYTES // x.itemsize))
    return room[:, :size].view(x.shape).copy_(x)
