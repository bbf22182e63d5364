"""Left and right exchanged."""

import torch
from torch import Tensor


def flips(count: int, probability: float, generator: torch.Generator) -> Tensor:
    """Draw which images are flipped, ``[n]``: each with ``probability``."""
    return torch.rand(count, generator=generator, dtype=torch.float64) < probability


def flip(images: Tensor, chosen: Tensor) -> Tensor:
    """Return images ``[n, c, h, w]``, those that are ``chosen [n]`` with their columns reversed."""
    column = torch.arange(images.shape[3], device=images.device)
    # A gather takes half of what flipping all and choosing does.
    place = torch.where(chosen[:, None], column.flip(0), column)
    return images.gather(3, place[:, None, None, :].expand(images.shape))
