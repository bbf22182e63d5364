"""Buffers of a model, such as running statistics, that forward passes elsewhere have changed."""

import torch
from torch import Tensor

_WHOLE_NUMBERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


@torch.no_grad()
def take_change(own: Tensor, before: Tensor, after: Tensor) -> None:
    """Change a buffer in place by what made another one ``after`` of ``before``, by element.

    Statistics and counters add up, ``own <- own + (after - before)``, so that no change of those
    that came meanwhile is lost. An element takes the value ``after`` where nothing came meanwhile,
    where the sum is not finite (a running minimum that starts at infinity), and where its type has
    no difference, as bool. One that did not change stays as it is: minus infinity in a mask, too.

    Args:
        own: The buffer as it is now.
        before: What it was when the other one began.
        after: What the other one has become.
    """
    changed = after != before
    if before.is_floating_point() or before.is_complex():
        changed &= ~(before.isnan() & after.isnan())
    if not changed.any():
        return
    value = after
    if _has_difference(own):
        total = own + (after - before)
        value = torch.where((own == before) | ~total.isfinite(), after, total)
    own.copy_(torch.where(changed, value, own))


def _has_difference(tensor: Tensor) -> bool:
    floating = tensor.is_floating_point() and tensor.element_size() > 1  # float8 only stores
    return floating or tensor.is_complex() or tensor.dtype in _WHOLE_NUMBERS
