"""Batch norm whose statistics are those of all processes' examples."""

import contextlib
from collections.abc import Callable, Iterator
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

BatchNorm = nn.modules.batchnorm._BatchNorm

AllReduce = Callable[[Tensor], None]
"""Puts the sum over all processes into a tensor."""

_sums: list[AllReduce] = []
"""What statistics are taken by now; none outside of steps."""


@contextlib.contextmanager
def over(all_reduce: AllReduce) -> Iterator[None]:
    """Let what `synchronise` has changed take its statistics over all processes in the block.

    Outside of steps a model is that of one process: who evaluates it does so alone.
    """
    _sums.append(all_reduce)
    try:
        yield
    finally:
        _sums.pop()


def normalises(module: nn.Module) -> bool:
    """Say whether a module is a batch norm of torch's, whose statistics can be taken together."""
    return isinstance(module, BatchNorm) and type(module).forward is BatchNorm.forward


def synchronise(model: nn.Module) -> None:
    """Let the batch norms of a model take their statistics together within `over`."""
    for module in model.modules():
        if normalises(module):
            vars(module)["forward"] = MethodType(_forward, module)  # copies have their own


class _Sum(torch.autograd.Function):
    """``Σ_k x_k`` over the processes ``k``; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, all_reduce: AllReduce) -> Tensor:
        ctx.all_reduce = all_reduce
        total = own.clone()
        all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        total = gradients[0].clone()
        ctx.all_reduce(total)
        return total, None


def _forward(norm: Any, x: Tensor) -> Tensor:
    """Return ``(x - m) / sqrt(v + eps) · weight + bias``; ``m``, ``v`` over all processes' ``x``.

    As `torch.nn.SyncBatchNorm`, which knows CUDA only. The mean comes first and the variance from
    what it leaves, so that large means cost no digits.
    """
    if not _sums or not norm.training:
        return type(norm).forward(norm, x)
    norm._check_input_dim(x)
    add, dims = _sums[-1], [0, *range(2, x.ndim)]
    values = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    own = values.new_tensor([values.numel() // values.shape[1]])
    *_, count = sums = _Sum.apply(torch.cat([values.sum(dims), own]), add)
    if count <= 1:
        raise ValueError("Expected more than 1 value per channel when training, got 1 in all")
    shape = [1, -1, *[1] * (x.ndim - 2)]
    mean = sums[:-1] / count
    centred = values - mean.view(shape)
    variance = _Sum.apply(centred.square().sum(dims), add) / count
    found = centred * torch.rsqrt(variance + norm.eps).view(shape)
    if norm.affine:
        found = found * norm.weight.view(shape) + norm.bias.view(shape)
    if norm.track_running_stats:
        _remember(norm, mean, variance * count / (count - 1))
    return found.to(x.dtype)


@torch.no_grad()
def _remember(norm: Any, mean: Tensor, variance: Tensor) -> None:
    """Move the running statistics, as torch does."""
    norm.num_batches_tracked.add_(1)
    share = norm.momentum if norm.momentum is not None else 1.0 / float(norm.num_batches_tracked)
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), share)
    norm.running_var.lerp_(variance.to(norm.running_var.dtype), share)
